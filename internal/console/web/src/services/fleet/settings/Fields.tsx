import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import Checkbox from "@cloudscape-design/components/checkbox";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Tiles from "@cloudscape-design/components/tiles";
import { mostThresholds, thresholdFault, type Faults, type Form } from "./form";

interface Props {
  form: Form;
  faults: Faults;
  onChange: (part: Partial<Form>) => void;
}

type TextKey = { [K in keyof Form]: Form[K] extends string ? K : never }[keyof Form];

interface Field {
  key: TextKey;
  label: string;
  description: string;
  placeholder?: string;
  numeric?: boolean;
}

const load: Field[] = [
  { key: "clients", label: "Clients", description: "The number of devices.", numeric: true },
  { key: "iterations", label: "Iterations", description: "How often each device runs its stages. None with a duration: until that is over.", placeholder: "1", numeric: true },
  { key: "interval", label: "Iteration interval", description: "From one iteration of a device to its next.", placeholder: "1s" },
  { key: "jitter", label: "Jitter", description: "The most that is added to each interval, at random.", placeholder: "0s" },
  { key: "duration", label: "Duration", description: "When the run ends at the latest.", placeholder: "no limit" },
];

const begin: Field[] = [
  { key: "rampUp", label: "Ramp-up", description: "The devices are started evenly over this time.", placeholder: "0s" },
  { key: "gap", label: "Gap between each client", description: "From one device's start to the next one's, in place of a ramp-up.", placeholder: "0s" },
  { key: "offset", label: "Client offset", description: "The number of the first device: what client() is for it.", placeholder: "0", numeric: true },
  { key: "connectLimit", label: "Connect limit", description: "How many devices at most are connecting at once.", placeholder: "100", numeric: true },
  { key: "requestLimit", label: "Request limit", description: "How many AWS and HTTP requests at most are in flight at once.", placeholder: "16", numeric: true },
];

const network: Field[] = [
  { key: "latency", label: "Latency", description: "What is sent and what is received comes this much later.", placeholder: "0s" },
  { key: "latencyJitter", label: "Latency jitter", description: "The most that is added to the latency, at random.", placeholder: "0s" },
  { key: "loss", label: "Loss, in per cent", description: "The share of messages that are lost; those of QoS 1 are sent again.", placeholder: "0" },
  { key: "disconnectEvery", label: "Disconnect every", description: "Each connection breaks after that long, on average.", placeholder: "never" },
];

/** Fields are those of run settings. */
export function Fields({ form, faults, onChange }: Props) {
  const one = (f: Field) => (
    <FormField key={f.key} label={f.label} description={f.description} errorText={faults[f.key]}>
      <Input
        value={form[f.key]}
        placeholder={f.placeholder}
        inputMode={f.numeric ? "numeric" : undefined}
        autoComplete={false}
        onChange={({ detail }) => onChange({ [f.key]: detail.value })}
      />
    </FormField>
  );
  const part = (title: string, fields: Field[], description?: string) => (
    <Container header={<Header variant="h2" description={description}>{title}</Header>}>
      <ColumnLayout columns={3} minColumnWidth={220}>
        {fields.map(one)}
      </ColumnLayout>
    </Container>
  );
  return (
    <SpaceBetween size="l">
      {part("Clients and iterations", load, "Times are written 500ms, 10s, 1.5m or 2h; a number alone is of seconds.")}
      {part("Start", begin)}
      {part("Network", network, "What the devices' connections suffer from.")}
      <Container header={<Header variant="h2">Repeatability</Header>}>
        <SpaceBetween size="m">
          <FormField label="Time">
            <Tiles
              ariaLabel="Time"
              columns={2}
              value={form.virtual ? "virtual" : "real"}
              onChange={({ detail }) => onChange({ virtual: detail.value === "virtual" })}
              items={[
                { value: "real", label: "Real time", description: "Intervals and sleeps take as long as they say." },
                { value: "virtual", label: "Virtual time", description: "Intervals and sleeps pass at once, in the order in which they would have ended." },
              ]}
            />
          </FormField>
          {one({ key: "seed", label: "Seed", description: "The same seed gives the same random values. None: each run takes another, which its result names.", placeholder: "at random", numeric: true })}
          <Checkbox checked={form.keepState} onChange={({ detail }) => onChange({ keepState: detail.checked })} description="Each device begins with the state that it had at the end of the test's last run.">
            Keep state
          </Checkbox>
        </SpaceBetween>
      </Container>
      <Container header={<Header variant="h2" description="Conditions of success. A run that does not meet one of them has failed.">Thresholds</Header>}>
        <AttributeEditor<string>
          items={form.thresholds}
          empty="There are no thresholds: a run succeeds when none of its devices fails."
          addButtonText="Add threshold"
          removeButtonText="Remove"
          removeButtonAriaLabel={(t) => `Remove the threshold ${t}`}
          disableAddButton={form.thresholds.length >= mostThresholds}
          onAddButtonClick={() => onChange({ thresholds: [...form.thresholds, ""] })}
          onRemoveButtonClick={({ detail }) => onChange({ thresholds: form.thresholds.filter((_, i) => i !== detail.itemIndex) })}
          definition={[
            {
              label: "Threshold",
              errorText: (t) => thresholdFault(t),
              control: (t, i) => (
                <Input
                  ariaLabel={`Threshold ${i + 1}`}
                  value={t}
                  placeholder="publish_ms p(99) < 50"
                  autoComplete={false}
                  onChange={({ detail }) => onChange({ thresholds: form.thresholds.map((was, n) => (n === i ? detail.value : was)) })}
                />
              ),
            },
          ]}
          additionalInfo="Metrics: connects, connect_ms, publishes, publish_ms, messages_received, iterations, iteration_ms, requests, request_ms, errors, disconnects, reconnects, lost, and those of the model. Aggregates: count, rate, value, avg, min, med, max, p(N)."
        />
      </Container>
    </SpaceBetween>
  );
}
