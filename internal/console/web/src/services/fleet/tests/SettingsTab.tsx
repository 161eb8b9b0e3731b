import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Checkbox from "@cloudscape-design/components/checkbox";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import type { Test } from "../api";
import type { Model, ModelSetting } from "../model";
import { valueOf, type Draft } from "./draft";
import { SettingInput } from "./SettingInput";

interface Props {
  test: Test;
  model: Model;
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
}

/** SettingsTab gives the model's settings their values. Secret ones can be replaced, and not be read. */
export function SettingsTab({ test, model, draft, onChange }: Props) {
  const settings = model.settings ?? [];
  const give = (name: string, value: string) => {
    const { [name]: _, ...rest } = draft.values;
    const kept = value === "" && test.secretSettings.includes(name);
    onChange({ values: kept || value === test.settings[name] ? rest : { ...rest, [name]: value }, removed: draft.removed.filter((n) => n !== name) });
  };
  const remove = (name: string) => {
    const { [name]: _, ...rest } = draft.values;
    onChange({ values: rest, removed: [...draft.removed, name] });
  };
  const isKept = (d: ModelSetting) => test.secretSettings.includes(d.name) && !draft.removed.includes(d.name);
  return (
    <SpaceBetween size="m">
      <Container header={<Header variant="h2" description="Scripts read them as settings.NAME, templates as {{settings.NAME}}.">Settings</Header>}>
        {settings.length === 0 ? (
          <Box color="text-body-secondary">The device model asks for no settings.</Box>
        ) : (
          <SpaceBetween size="m">
            {settings.map((d, i) => (
              <div key={`${i}:${d.name}`}>
                <SettingInput
                  of={d}
                  value={valueOf(test, draft, d.name) ?? ""}
                  onChange={(v) => give(d.name, v)}
                  placeholder={isKept(d) ? "Kept. Enter another to replace it." : d.default ? `${d.default} (default)` : undefined}
                />
                {(isKept(d) || (test.settings[d.name] !== undefined && !draft.removed.includes(d.name))) && (
                  <Button variant="inline-link" ariaLabel={`Remove the value of ${d.name}`} onClick={() => remove(d.name)}>
                    Remove the value
                  </Button>
                )}
              </div>
            ))}
          </SpaceBetween>
        )}
      </Container>
      <ExpandableSection variant="container" headerText="What the model asks for" headerDescription="Names, labels and defaults. A new setting can be given a value once the test is saved.">
        <Definitions settings={settings} onChange={(to) => onChange({ model: { ...model, settings: to } })} />
      </ExpandableSection>
    </SpaceBetween>
  );
}

function Definitions({ settings, onChange }: { settings: ModelSetting[]; onChange: (s: ModelSetting[]) => void }) {
  const change = (i: number, part: Partial<ModelSetting>) => onChange(settings.map((d, n) => (n === i ? { ...d, ...part } : d)));
  const text = (key: "name" | "label" | "default", label: string) => ({
    label,
    control: (d: ModelSetting, i: number) => <Input ariaLabel={`${label} of setting ${i + 1}`} value={d[key] ?? ""} autoComplete={false} onChange={({ detail }) => change(i, { [key]: detail.value })} />,
  });
  const mark = (key: "required" | "secret", label: string) => ({
    label,
    control: (d: ModelSetting, i: number) => (
      <Checkbox checked={d[key] ?? false} ariaLabel={`${label}: setting ${i + 1}`} onChange={({ detail }) => change(i, { [key]: detail.checked })}>
        {label}
      </Checkbox>
    ),
  });
  return (
    <AttributeEditor<ModelSetting>
      items={settings}
      empty="The model asks for nothing."
      addButtonText="Add setting"
      removeButtonText="Remove"
      removeButtonAriaLabel={(d) => `Remove the setting ${d.name}`}
      disableAddButton={settings.length >= 64}
      onAddButtonClick={() => onChange([...settings, { name: "" }])}
      onRemoveButtonClick={({ detail }) => onChange(settings.filter((_, i) => i !== detail.itemIndex))}
      definition={[text("name", "Name"), text("label", "Label"), text("default", "Default"), mark("required", "Required"), mark("secret", "Secret")]}
    />
  );
}
