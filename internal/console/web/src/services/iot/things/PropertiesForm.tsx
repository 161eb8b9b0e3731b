import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import ExpandableSection from "@cloudscape-design/components/expandable-section";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Link from "@cloudscape-design/components/link";
import RadioGroup from "@cloudscape-design/components/radio-group";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { JsonEditor } from "../../../kit/JsonEditor";
import { useLoad, type Loaded } from "../../../kit/load";
import { listBillingGroups, listGroups, listTypes } from "../api";
import { AttributesEditor } from "../AttributesEditor";
import { attributesFault } from "../names";
import { mostAttributes, shadowNameFault, type Properties } from "./properties";

interface Props {
  of: Properties;
  onChange: (p: Properties) => void;
  tried: boolean;
  shadow?: boolean; // offered
}

/** PropertiesForm asks for all that a thing has besides its name. */
export function PropertiesForm({ of, onChange, tried, shadow }: Props) {
  const types = useLoad(listTypes, []);
  const groups = useLoad(() => listGroups(), []);
  const billing = useLoad(listBillingGroups, []);
  const set = (part: Partial<Properties>) => onChange({ ...of, ...part });
  const kinds = (types.data ?? []).filter((t) => !t.thingTypeMetadata?.deprecated);
  const searchable = kinds.find((t) => t.thingTypeName === of.type)?.thingTypeProperties?.searchableAttributes ?? [];
  return (
    <Container header={<Header variant="h2">Additional configurations</Header>}>
      <SpaceBetween size="m">
        <ExpandableSection headerText="Thing type - optional" defaultExpanded={!!of.type}>
          <FormField
            label="Thing type"
            description={
              <>
                Things of a type share a description and attributes. <Link href="#/iot/thing-types/create">Create a thing type</Link>
              </>
            }
          >
            <Choose
              label="Thing type"
              value={of.type}
              onChange={(type) => {
                const names = kinds.find((t) => t.thingTypeName === type)?.thingTypeProperties?.searchableAttributes ?? [];
                const more = names.filter((name) => !of.attributes.some((a) => a.name === name)).map((name) => ({ name, value: "" }));
                set({ type, attributes: [...of.attributes.filter((a) => a.name || a.value), ...more] });
              }}
              items={types}
              options={kinds.map((t) => t.thingTypeName ?? "")}
            />
          </FormField>
        </ExpandableSection>
        <ExpandableSection headerText="Searchable thing attributes - optional" defaultExpanded={of.attributes.length > 0} key={searchable.join()}>
          <SpaceBetween size="xs">
            <AttributesEditor attributes={of.attributes} onChange={(attributes) => set({ attributes })} max={mostAttributes(of.type)} />
            {tried && attributesFault(of.attributes) && <Box color="text-status-error">{attributesFault(of.attributes)}</Box>}
          </SpaceBetween>
        </ExpandableSection>
        <ExpandableSection headerText="Thing groups - optional" defaultExpanded={!!of.group}>
          <FormField label="Thing group" description="Policies of a group hold for all its things.">
            <Choose label="Thing group" value={of.group} onChange={(group) => set({ group })} items={groups} options={(groups.data ?? []).map((g) => g.groupName ?? "")} />
          </FormField>
        </ExpandableSection>
        <ExpandableSection headerText="Billing group - optional" defaultExpanded={!!of.billingGroup}>
          <FormField label="Billing group">
            <Choose label="Billing group" value={of.billingGroup} onChange={(billingGroup) => set({ billingGroup })} items={billing} options={(billing.data ?? []).map((g) => g.groupName ?? "")} />
          </FormField>
        </ExpandableSection>
        {shadow && (
          <ExpandableSection headerText="Device Shadow - optional" defaultExpanded={of.shadow !== "none"}>
            <SpaceBetween size="m">
              <FormField label="Device Shadow" description="Device Shadows allow connected devices to sync states with AWS.">
                <RadioGroup
                  value={of.shadow}
                  onChange={({ detail }) => set({ shadow: detail.value as Properties["shadow"] })}
                  items={[
                    { value: "none", label: "No shadow" },
                    { value: "named", label: "Named shadow", description: "One of several, with a name of its own." },
                    { value: "classic", label: "Unnamed shadow (classic)", description: "A thing can have only one unnamed shadow." },
                  ]}
                />
              </FormField>
              {of.shadow === "named" && (
                <FormField label="Shadow name" constraintText="Up to 64 letters, digits, and : _ -" errorText={tried && shadowNameFault(of.shadowName)}>
                  <Input value={of.shadowName} onChange={({ detail }) => set({ shadowName: detail.value })} />
                </FormField>
              )}
              {of.shadow !== "none" && <JsonEditor label="Shadow statement" value={of.shadowDocument} onChange={(shadowDocument) => set({ shadowDocument })} height={220} />}
            </SpaceBetween>
          </ExpandableSection>
        )}
      </SpaceBetween>
    </Container>
  );
}

/** Choose is one of a list, or none. */
export function Choose({ label, value, onChange, items, options }: { label: string; value?: string; onChange: (v: string | undefined) => void; items: Loaded<unknown>; options: string[] }) {
  return (
    <Select
      ariaLabel={label}
      selectedOption={value ? { value, label: value } : { value: "", label: "None" }}
      onChange={({ detail }) => onChange(detail.selectedOption.value || undefined)}
      options={[{ value: "", label: "None" }, ...options.map((o) => ({ value: o, label: o }))]}
      filteringType={options.length > 10 ? "auto" : "none"}
      statusType={items.error !== undefined ? "error" : items.loading && !items.data ? "loading" : "finished"}
      errorText={items.error instanceof Error ? items.error.message : "Not known"}
    />
  );
}
