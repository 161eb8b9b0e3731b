import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import Button from "@cloudscape-design/components/button";
import Checkbox from "@cloudscape-design/components/checkbox";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Textarea from "@cloudscape-design/components/textarea";
import { useState } from "react";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useAction } from "../../../kit/load";
import { timeOfDay } from "../../../live/clock";
import { topicFault } from "../../../live/topic";
import type { TestClient } from "./client";
import { bytesOf, faults, newDraft, publicationOf, type Draft } from "./publication";

interface Props {
  client: TestClient;
  start?: string;
  /** The topic, where it is not asked for. */
  topic?: string;
}

/** PublishForm is the Publish tab, and the box above a log. */
export function PublishForm({ client, start = "", topic: fixed }: Props) {
  const [entered, setEntered] = useState(start);
  const [draft, set] = useState<Draft>(newDraft);
  const [tried, setTried] = useState(false);
  const [done, setDone] = useState<{ text: string; count: number }>();
  const action = useAction();
  const topic = fixed ?? entered;
  const wrong = faults(draft);
  const change = (part: Partial<Draft>) => set((was) => ({ ...was, ...part }));

  const submit = () => {
    setTried(true);
    const payload = bytesOf(draft);
    if (topicFault(topic) || Object.keys(wrong).length || !payload || action.busy) return;
    void action.run(async () => {
      setDone((was) => was && { ...was, text: "" });
      await client.publish(topic, payload, publicationOf(draft));
      const what = draft.qos === 1 ? "Acknowledged" : "Sent";
      setDone((was) => ({ text: `${what}: ${payload.length} bytes on ${topic} at ${timeOfDay(new Date())}`, count: (was?.count ?? 0) + 1 }));
    });
  };

  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      <SpaceBetween size="m">
        {fixed === undefined && (
          <FormField label="Topic name" description="The topic name identifies the message. The message payload will be published to this topic." errorText={tried && topicFault(topic)}>
            <Input
              value={entered}
              onChange={({ detail }) => {
                setEntered(detail.value);
                setTried(false);
                action.setError(undefined);
              }}
              placeholder="Enter the topic name"
              autoComplete={false}
            />
          </FormField>
        )}
        <FormField label="Message payload" stretch errorText={tried && wrong.payload}>
          <Textarea value={draft.payload} onChange={({ detail }) => change({ payload: detail.value })} rows={fixed === undefined ? 6 : 4} spellcheck={false} />
        </FormField>
        <ExpandableSection headerText="Additional configuration">
          <SpaceBetween size="m">
            <ColumnLayout columns={2} minColumnWidth={240}>
              <SpaceBetween size="xs">
                <Checkbox checked={draft.retain} onChange={({ detail }) => change({ retain: detail.checked })} description="The server keeps the message for those who subscribe later.">
                  Retain message on this topic
                </Checkbox>
                <Checkbox checked={draft.hex} onChange={({ detail }) => change({ hex: detail.checked })} description="Such as 0a ff 10.">
                  The payload is bytes in hexadecimal
                </Checkbox>
              </SpaceBetween>
              <FormField label="Quality of Service">
                <RadioGroup
                  ariaLabel="Quality of Service"
                  value={String(draft.qos)}
                  onChange={({ detail }) => change({ qos: detail.value === "1" ? 1 : 0 })}
                  items={[
                    { value: "0", label: "0 - At most once", description: "A message that is refused is dropped without a word." },
                    { value: "1", label: "1 - At least once", description: "It is acknowledged, or you are told why not." },
                  ]}
                />
              </FormField>
            </ColumnLayout>
            <Properties draft={draft} change={change} wrong={tried ? wrong : {}} />
          </SpaceBetween>
        </ExpandableSection>
        <ErrorBox error={action.error} what={`Not published on ${topic}`} />
        <SpaceBetween direction="horizontal" size="m" alignItems="center">
          <Button variant="primary" loading={action.busy} formAction="submit">
            Publish
          </Button>
          <div role="status" aria-label="Published">
            {done?.text && (
              <StatusIndicator>
                <span className="words">
                  {done.text}
                  {done.count > 1 && ` (${done.count} messages)`}
                </span>
              </StatusIndicator>
            )}
          </div>
        </SpaceBetween>
      </SpaceBetween>
    </form>
  );
}

/** What MQTT 5 sends along with a message. */
function Properties({ draft, change, wrong }: { draft: Draft; change: (part: Partial<Draft>) => void; wrong: ReturnType<typeof faults> }) {
  const user = (i: number, part: Partial<Draft["user"][number]>) => change({ user: draft.user.map((u, n) => (n === i ? { ...u, ...part } : u)) });
  return (
    <ExpandableSection headerText="MQTT 5 properties" headerDescription="They come through to those who subscribe with MQTT 5.">
      <SpaceBetween size="m">
        <Checkbox checked={draft.utf8} onChange={({ detail }) => change({ utf8: detail.checked })}>
          The payload is UTF-8 text (payload format indicator)
        </Checkbox>
        <ColumnLayout columns={2} minColumnWidth={220}>
          <FormField label="Content type">
            <Input value={draft.contentType} onChange={({ detail }) => change({ contentType: detail.value })} placeholder="application/json" />
          </FormField>
          <FormField label="Message expiry interval, in seconds" errorText={wrong.expiry}>
            <Input type="number" value={draft.expiry} onChange={({ detail }) => change({ expiry: detail.value })} placeholder="Never" />
          </FormField>
          <FormField label="Response topic" errorText={wrong.responseTopic}>
            <Input value={draft.responseTopic} onChange={({ detail }) => change({ responseTopic: detail.value })} />
          </FormField>
          <FormField label="Correlation data">
            <Input value={draft.correlation} onChange={({ detail }) => change({ correlation: detail.value })} />
          </FormField>
        </ColumnLayout>
        <FormField label="User properties" stretch errorText={wrong.user}>
          <AttributeEditor
            items={draft.user}
            empty="No user properties."
            addButtonText="Add new user property"
            removeButtonText="Remove"
            removeButtonAriaLabel={(u) => `Remove the user property ${u.key}`}
            onAddButtonClick={() => change({ user: [...draft.user, { key: "", value: "" }] })}
            onRemoveButtonClick={({ detail }) => change({ user: draft.user.filter((_, i) => i !== detail.itemIndex) })}
            definition={[
              { label: "Key", control: (u, i) => <Input ariaLabel={`Key of user property ${i + 1}`} value={u.key} onChange={({ detail }) => user(i, { key: detail.value })} /> },
              { label: "Value", control: (u, i) => <Input ariaLabel={`Value of user property ${i + 1}`} value={u.value} onChange={({ detail }) => user(i, { value: detail.value })} /> },
            ]}
          />
        </FormField>
      </SpaceBetween>
    </ExpandableSection>
  );
}
