import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import Input from "@cloudscape-design/components/input";
import type { Attribute } from "./names";

/** AttributesEditor edits the attributes of things. */
export function AttributesEditor({ attributes, onChange, max, what = "attribute" }: { attributes: Attribute[]; onChange: (a: Attribute[]) => void; max: number; what?: string }) {
  const change = (index: number, part: Partial<Attribute>) => onChange(attributes.map((a, i) => (i === index ? { ...a, ...part } : a)));
  return (
    <AttributeEditor<Attribute>
      items={attributes}
      empty={`No ${what}s.`}
      addButtonText={`Add ${what}`}
      removeButtonText="Remove"
      disableAddButton={attributes.length >= max}
      additionalInfo={`You can add up to ${Math.max(0, max - attributes.length)} more.`}
      onAddButtonClick={() => onChange([...attributes, { name: "", value: "" }])}
      onRemoveButtonClick={({ detail }) => onChange(attributes.filter((_, i) => i !== detail.itemIndex))}
      removeButtonAriaLabel={(a) => `Remove the ${what} ${a.name}`}
      definition={[
        { label: "Key", control: (a, i) => <Input ariaLabel={`Key of ${what} ${i + 1}`} value={a.name} onChange={({ detail }) => change(i, { name: detail.value })} placeholder="Enter key" /> },
        { label: "Value", control: (a, i) => <Input ariaLabel={`Value of ${what} ${i + 1}`} value={a.value} onChange={({ detail }) => change(i, { value: detail.value })} placeholder="Enter value" /> },
      ]}
    />
  );
}
