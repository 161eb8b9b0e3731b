import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { moved, standard, withSequence, type Model } from "../model";

/** Sequence is in what turn iterations run the stages, and what else is said of the model. */
export function Sequence({ model, onChange }: { model: Model; onChange: (m: Model) => void }) {
  const sequence = model.sequence ?? [];
  const put = (to: string[]) => onChange(withSequence(model, to));
  const choices = Object.keys(model.stages).filter((n) => !standard.includes(n) || n === "running");
  return (
    <ColumnLayout columns={2} minColumnWidth={300}>
      <Container header={<Header variant="h2" description="The first iteration of a device runs the first stage, and so on; the last stage is repeated.">Sequence</Header>}>
        <SpaceBetween size="s">
          {sequence.length === 0 ? (
            <Box color="text-body-secondary">None: each iteration runs the stage running.</Box>
          ) : (
            <ol className="sequence">
              {sequence.map((name, i) => (
                <li key={`${i}:${name}`}>
                  <SpaceBetween direction="horizontal" size="xxs" alignItems="center">
                    <span className="words">{name}</span>
                    <Button variant="inline-icon" iconName="angle-up" ariaLabel={`Move ${name} up`} disabled={i === 0} onClick={() => put(moved(sequence, i, -1))} />
                    <Button variant="inline-icon" iconName="angle-down" ariaLabel={`Move ${name} down`} disabled={i === sequence.length - 1} onClick={() => put(moved(sequence, i, 1))} />
                    <Button variant="inline-icon" iconName="close" ariaLabel={`Take ${name} out of the sequence`} onClick={() => put(sequence.filter((_, n) => n !== i))} />
                  </SpaceBetween>
                </li>
              ))}
            </ol>
          )}
          <Select
            selectedOption={null}
            placeholder="Add a stage to the sequence"
            ariaLabel="Add a stage to the sequence"
            options={choices.map((value) => ({ value }))}
            empty="There are no stages of the model's own yet."
            onChange={({ detail }) => detail.selectedOption.value && put([...sequence, detail.selectedOption.value])}
          />
        </SpaceBetween>
      </Container>
      <Container header={<Header variant="h2">Device model</Header>}>
        <SpaceBetween size="s">
          <FormField label="Description">
            <Textarea rows={3} value={model.description ?? ""} onChange={({ detail }) => onChange({ ...model, description: detail.value })} />
          </FormField>
          <FormField label="Fewest iterations" description="With fewer the model is of no use; a run of fewer is warned of.">
            <Input
              type="number"
              inputMode="numeric"
              value={model.minIterations ? String(model.minIterations) : ""}
              placeholder="0"
              onChange={({ detail }) => onChange({ ...model, minIterations: Math.max(0, Math.trunc(Number(detail.value))) || undefined })}
            />
          </FormField>
        </SpaceBetween>
      </Container>
    </ColumnLayout>
  );
}
