import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Checkbox from "@cloudscape-design/components/checkbox";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Link from "@cloudscape-design/components/link";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SegmentedControl from "@cloudscape-design/components/segmented-control";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import type { Model, Protocol } from "../model";

interface Props {
  model: Model;
  onChange: (m: Model) => void;
}

type TextKey = { [K in keyof Protocol]-?: Protocol[K] extends string | undefined ? K : never }[keyof Protocol];

/** How devices connect where the model has said nothing of it yet: as AWS IoT has it. */
const secure = { type: "mqtt", security: "certificate", key: "{{state.__$key}}", certificate: "{{state.__$cert}}", clientId: "device-{{client()}}", topic: "devices/{{client()}}/data", qos: 1 };

/** ProtocolTab says how a model's devices connect. Every text is a template. */
export function ProtocolTab({ model, onChange }: Props) {
  const p = model.protocol;
  const change = (part: Partial<Protocol>) => p && onChange({ ...model, protocol: { ...p, ...part } });
  const choose = (type: string) => {
    const { protocol: _, ...rest } = model;
    onChange(type === "none" ? rest : { ...rest, protocol: p ? { ...p, type } : { ...secure, type } });
  };
  const text = (key: TextKey, label: string, description?: string, placeholder?: string, type: "text" | "password" = "text") => (
    <FormField label={label} description={description}>
      <Input value={p?.[key] ?? ""} type={type} placeholder={placeholder} spellcheck={false} autoComplete={type === "password" ? "new-password" : false} onChange={({ detail }) => change({ [key]: detail.value })} />
    </FormField>
  );
  const pem = (key: "key" | "certificate" | "ca", label: string, description: string, placeholder: string) => (
    <FormField label={label} description={description} stretch>
      <Textarea value={p?.[key] ?? ""} rows={key === "ca" ? 2 : 1} placeholder={placeholder} spellcheck={false} onChange={({ detail }) => change({ [key]: detail.value })} />
    </FormField>
  );
  return (
    <SpaceBetween size="m">
      <Container header={<Header variant="h2" description="What stands between {{ and }} is evaluated for each device: {{client()}}, {{state.name}}, {{settings.name}}, {{glob.get('name')}}.">Protocol</Header>}>
        <SpaceBetween size="m">
          <SegmentedControl
            label="Protocol"
            selectedId={p?.type ?? "none"}
            onChange={({ detail }) => choose(detail.selectedId)}
            options={[
              { id: "none", text: "None" },
              { id: "mqtt", text: "MQTT" },
              { id: "https", text: "HTTPS" },
            ]}
          />
          {!p ? (
            <Box color="text-body-secondary">The devices connect nowhere. Their stages may call AWS and HTTP all the same.</Box>
          ) : (
            <ColumnLayout columns={2} minColumnWidth={280}>
              <FormField
                label="Endpoint"
                description={
                  <>
                    A host, with or without a port. aws-iot-connector puts that of its account into the glob: <Link fontSize="body-s" href="#/fleet/glob/details/aws_iot_endpoint">aws_iot_endpoint</Link>.
                  </>
                }
                constraintText={
                  p.endpoint !== fromGlob && (
                    <Button variant="inline-link" onClick={() => change({ endpoint: fromGlob })}>
                      Take it from the glob
                    </Button>
                  )
                }
              >
                <Input value={p.endpoint ?? ""} placeholder="iot.example.com:8883" spellcheck={false} autoComplete={false} onChange={({ detail }) => change({ endpoint: detail.value })} />
              </FormField>
              {text("topic", "Topic", "Where what a stage returns is published.", "devices/{{client()}}/data")}
              {p.type === "mqtt" && text("clientId", "Client ID", "One for each device, or they cut each other off.", "device-{{client()}}")}
              <Level label="Quality of service" value={p.qos ?? 0} onChange={(qos) => change({ qos })} most={p.type === "mqtt" ? 2 : 1} />
            </ColumnLayout>
          )}
        </SpaceBetween>
      </Container>
      {p && (
        <Container header={<Header variant="h2">Security</Header>}>
          <SpaceBetween size="m">
            <RadioGroup
              ariaLabel="Security"
              value={p.security ?? "certificate"}
              onChange={({ detail }) => change({ security: detail.value })}
              items={[
                { value: "certificate", label: "Certificate", description: "TLS, each device with a certificate of its own." },
                { value: "none", label: "None", description: "Without TLS." },
              ]}
            />
            {(p.security ?? "certificate") === "certificate" && (
              <SpaceBetween size="m">
                {pem("key", "Private key", "PEM. Names that begin with __$ are not shown in results.", "{{state.__$key}}")}
                {pem("certificate", "Certificate", "PEM, with those above it if there are any.", "{{state.__$cert}}")}
                {pem("ca", "CA certificate - optional", "By whom the server's certificate is signed. None: who is trusted anyway.", "-----BEGIN CERTIFICATE-----")}
              </SpaceBetween>
            )}
          </SpaceBetween>
        </Container>
      )}
      {p?.type === "mqtt" && (
        <SpaceBetween size="m">
          <Subscriptions of={p} onChange={change} />
          <ExpandableSection variant="container" headerText="Session">
            <SpaceBetween size="m">
              <ColumnLayout columns={2} minColumnWidth={280}>
                <FormField label="MQTT version">
                  <Select
                    selectedOption={{ value: p.version || "3.1.1" }}
                    options={[{ value: "3.1.1" }, { value: "5" }]}
                    onChange={({ detail }) => change({ version: detail.selectedOption.value === "5" ? "5" : undefined })}
                  />
                </FormField>
                {text("keepAlive", "Keep alive, in seconds")}
                {text("username", "User name - optional")}
                {text("password", "Password - optional", undefined, undefined, "password")}
              </ColumnLayout>
              <Checkbox checked={p.cleanSession !== false} onChange={({ detail }) => change({ cleanSession: detail.checked ? undefined : false })} description="Without it the server keeps subscriptions and messages while the device is away.">
                Clean session
              </Checkbox>
              <Checkbox checked={p.retain ?? false} onChange={({ detail }) => change({ retain: detail.checked })} description="The server keeps the latest message of the topic.">
                Retain what is published
              </Checkbox>
            </SpaceBetween>
          </ExpandableSection>
          <Will of={p} onChange={change} />
        </SpaceBetween>
      )}
    </SpaceBetween>
  );
}

const fromGlob = "{{glob.get('aws_iot_endpoint')}}";

interface PartProps {
  of: Protocol;
  onChange: (part: Partial<Protocol>) => void;
}

function Level({ label, value, onChange, most = 2 }: { label: string; value: number; onChange: (qos: number) => void; most?: number }) {
  const options = [0, 1, 2].slice(0, most + 1).map((n) => ({ value: String(n), label: ["0: at most once", "1: at least once", "2: exactly once"][n] }));
  return (
    <FormField label={label}>
      <Select ariaLabel={label} selectedOption={options[value] ?? { value: String(value) }} options={options} onChange={({ detail }) => onChange(Number(detail.selectedOption.value))} />
    </FormField>
  );
}

function Subscriptions({ of, onChange }: PartProps) {
  const list = of.subscribe ?? [];
  const change = (i: number, part: Partial<(typeof list)[number]>) => onChange({ subscribe: list.map((s, n) => (n === i ? { ...s, ...part } : s)) });
  return (
    <Container header={<Header variant="h2" description="What each device subscribes to once it is connected. Messages go to the stage message.">Subscriptions</Header>}>
      <AttributeEditor
        items={list}
        empty="The devices subscribe to nothing by themselves."
        addButtonText="Add subscription"
        removeButtonText="Remove"
        removeButtonAriaLabel={(s) => `Remove the subscription to ${s.filter}`}
        onAddButtonClick={() => onChange({ subscribe: [...list, { filter: "" }] })}
        onRemoveButtonClick={({ detail }) => onChange({ subscribe: list.filter((_, i) => i !== detail.itemIndex) })}
        definition={[
          {
            label: "Topic filter",
            control: (s, i) => <Input ariaLabel={`Topic filter ${i + 1}`} value={s.filter} placeholder="devices/{{client()}}/commands/#" autoComplete={false} onChange={({ detail }) => change(i, { filter: detail.value })} />,
          },
          {
            label: "QoS",
            control: (s, i) => (
              <Select
                ariaLabel={`QoS of subscription ${i + 1}`}
                selectedOption={{ value: String(s.qos ?? 0) }}
                options={["0", "1", "2"].map((value) => ({ value }))}
                onChange={({ detail }) => change(i, { qos: Number(detail.selectedOption.value) })}
              />
            ),
          },
        ]}
      />
    </Container>
  );
}

function Will({ of, onChange }: PartProps) {
  const will = of.will ?? { topic: "" };
  const change = (part: Partial<typeof will>) => onChange({ will: { ...will, ...part } });
  return (
    <ExpandableSection variant="container" headerText="Last will" headerDescription="What the server publishes when a device's connection breaks.">
      <SpaceBetween size="m">
        <ColumnLayout columns={2} minColumnWidth={280}>
          <FormField label="Will topic" description="None: no will.">
            <Input value={will.topic} placeholder="devices/{{client()}}/gone" autoComplete={false} onChange={({ detail }) => change({ topic: detail.value })} />
          </FormField>
          <Level label="Will quality of service" value={will.qos ?? 0} onChange={(qos) => change({ qos })} />
        </ColumnLayout>
        <FormField label="Will payload" stretch>
          <Textarea value={will.payload ?? ""} rows={2} onChange={({ detail }) => change({ payload: detail.value })} />
        </FormField>
        <Checkbox checked={will.retain ?? false} onChange={({ detail }) => change({ retain: detail.checked })}>
          Retain the will
        </Checkbox>
      </SpaceBetween>
    </ExpandableSection>
  );
}
