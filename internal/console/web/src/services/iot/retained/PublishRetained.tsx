import FormField from "@cloudscape-design/components/form-field";
import Input from "@cloudscape-design/components/input";
import RadioGroup from "@cloudscape-design/components/radio-group";
import Textarea from "@cloudscape-design/components/textarea";
import { PublishCommand } from "@aws-sdk/client-iot-data-plane";
import { useState } from "react";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { bytesOf, sendData } from "../api";

interface Props {
  topic?: string; // fixed
  text?: string;
  onDismiss: () => void;
  onDone: (topic: string) => Promise<void>;
}

/** PublishRetained publishes a message that is kept. */
export function PublishRetained({ topic: fixed, text = '{\n  "message": "Hello from AWS IoT console"\n}', onDismiss, onDone }: Props) {
  const [topic, setTopic] = useState(fixed ?? "");
  const [payload, setPayload] = useState(text);
  const [qos, setQos] = useState("1");
  const wrong = /[#+]/.test(topic) ? "A topic to publish to has no wildcards." : undefined;
  return (
    <ConfirmModal
      title={fixed ? "Edit the retained message" : "Publish a retained message"}
      verb="Publish"
      ready={topic !== "" && !wrong && payload !== ""}
      onDismiss={onDismiss}
      onConfirm={async () => {
        await sendData(new PublishCommand({ topic, retain: true, qos: Number(qos), payload: bytesOf(payload) }));
        await onDone(topic);
      }}
    >
      <FormField label="Topic name" errorText={wrong}>
        <Input value={topic} onChange={({ detail }) => setTopic(detail.value)} disabled={fixed !== undefined} />
      </FormField>
      <FormField label="Message payload" constraintText="An empty payload would delete the message.">
        <Textarea value={payload} onChange={({ detail }) => setPayload(detail.value)} rows={6} spellcheck={false} />
      </FormField>
      <FormField label="Quality of Service">
        <RadioGroup
          value={qos}
          onChange={({ detail }) => setQos(detail.value)}
          items={[
            { value: "0", label: "Quality of Service 0 - Message will be delivered at most once" },
            { value: "1", label: "Quality of Service 1 - Message will be delivered at least once" },
          ]}
        />
      </FormField>
    </ConfirmModal>
  );
}
