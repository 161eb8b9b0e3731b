import Button from "@cloudscape-design/components/button";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useAction } from "../../../kit/load";
import { displays, type Display } from "../../../live/payload";
import { filterFault } from "../../../live/topic";
import type { Config, TestClient } from "./client";

/** As it is being entered. */
export interface ConfigDraft {
  keep: string;
  qos: 0 | 1;
  display: Display;
}

const start: ConfigDraft = { keep: "100", qos: 0, display: "auto" };
const mostKept = 1000;

/** What a draft means; undefined: its fields say what is wrong. */
export function configOf(d: ConfigDraft): Config | undefined {
  const keep = Number(d.keep);
  return Number.isInteger(keep) && keep >= 1 && keep <= mostKept ? { keep, qos: d.qos, display: d.display } : undefined;
}

/** SubscribeForm is the Subscribe tab. */
export function SubscribeForm({ client, start: filterFirst }: { client: TestClient; start: string }) {
  const [filter, setFilter] = useState(filterFirst);
  const [draft, setDraft] = useState(start);
  const [tried, setTried] = useState(false);
  const action = useAction();
  const fault = filterFault(filter);
  const config = configOf(draft);
  const submit = () => {
    setTried(true);
    if (!fault && config && !action.busy) void action.run(() => client.subscribe(filter, config));
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        submit();
      }}
    >
      <SpaceBetween size="m">
        <FormField
          label="Subscription topic"
          description="The topic filter describes the topics to which you want to subscribe. It can include MQTT wildcard characters: + for one level, # for all that follow."
          errorText={tried && fault}
        >
          <Input
            value={filter}
            onChange={({ detail }) => {
              setFilter(detail.value);
              setTried(false);
              action.setError(undefined);
            }}
            placeholder="Enter the topic filter"
            autoComplete={false}
          />
        </FormField>
        <ExpandableSection headerText="Additional configuration">
          <ConfigFields draft={draft} onChange={setDraft} />
        </ExpandableSection>
        <ErrorBox error={action.error} what={`You are not subscribed to ${filter}`} />
        <Button variant="primary" loading={action.busy} formAction="submit">
          Subscribe to topic
        </Button>
      </SpaceBetween>
    </form>
  );
}

/** ConfigFields asks how a subscription is to be. */
export function ConfigFields({ draft, onChange }: { draft: ConfigDraft; onChange: (d: ConfigDraft) => void }) {
  return (
    <ColumnLayout columns={3} minColumnWidth={240}>
      <FormField label="Number of messages to keep" description="The oldest go first." errorText={!configOf(draft) && `From 1 to ${mostKept}.`}>
        <Input type="number" value={draft.keep} onChange={({ detail }) => onChange({ ...draft, keep: detail.value })} />
      </FormField>
      <FormField label="Quality of Service">
        <RadioGroup
          ariaLabel="Quality of Service"
          value={String(draft.qos)}
          onChange={({ detail }) => onChange({ ...draft, qos: detail.value === "1" ? 1 : 0 })}
          items={[
            { value: "0", label: "Quality of Service 0", description: "Messages are delivered at most once." },
            { value: "1", label: "Quality of Service 1", description: "Messages are delivered at least once." },
          ]}
        />
      </FormField>
      <FormField label="MQTT payload display">
        <RadioGroup ariaLabel="MQTT payload display" value={draft.display} onChange={({ detail }) => onChange({ ...draft, display: detail.value as Display })} items={displays} />
      </FormField>
    </ColumnLayout>
  );
}
