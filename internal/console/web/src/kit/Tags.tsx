import Alert from "@cloudscape-design/components/alert";
import AttributeEditor from "@cloudscape-design/components/attribute-editor";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useState } from "react";
import { ConfirmModal } from "./ConfirmModal";
import type { Loaded } from "./load";
import { ErrorBox } from "./ErrorBox";
import { tagFault, type Tag } from "./tag";

export { tagFault, type Tag };

/** TagsEditor edits the tags of something that is being made. */
export function TagsEditor({ tags, onChange, max = 50 }: { tags: Tag[]; onChange: (tags: Tag[]) => void; max?: number }) {
  const change = (index: number, part: Partial<Tag>) => onChange(tags.map((t, i) => (i === index ? { ...t, ...part } : t)));
  return (
    <AttributeEditor<Tag>
      items={tags}
      empty="No tags associated with the resource."
      addButtonText="Add new tag"
      removeButtonText="Remove"
      disableAddButton={tags.length >= max}
      onAddButtonClick={() => onChange([...tags, { Key: "", Value: "" }])}
      onRemoveButtonClick={({ detail }) => onChange(tags.filter((_, i) => i !== detail.itemIndex))}
      removeButtonAriaLabel={(t) => `Remove the tag ${t.Key}`}
      additionalInfo={`You can add up to ${max - tags.length} more tags.`}
      definition={[
        { label: "Key", control: (t, i) => <Input ariaLabel={`Key of tag ${i + 1}`} value={t.Key} onChange={({ detail }) => change(i, { Key: detail.value })} placeholder="Enter key" /> },
        { label: "Value - optional", control: (t, i) => <Input ariaLabel={`Value of tag ${i + 1}`} value={t.Value} onChange={({ detail }) => change(i, { Value: detail.value })} placeholder="Enter value" /> },
      ]}
    />
  );
}

/** TagsSection asks for tags in a form or wizard. */
export function TagsSection({ tags, onChange }: { tags: Tag[]; onChange: (tags: Tag[]) => void }) {
  return (
    <Container header={<Header variant="h2" description="Tags are key-value pairs that you can add to resources to help identify, organize, or search for them.">Tags - optional</Header>}>
      <TagsEditor tags={tags} onChange={onChange} />
    </Container>
  );
}

interface TabProps {
  tags: Loaded<Tag[]>;
  /** Set what is new or changed, remove what is gone. */
  save: (set: Tag[], remove: string[]) => Promise<void>;
}

/** TagsTab shows and changes the tags of something that is there. */
export function TagsTab({ tags, save }: TabProps) {
  const [edited, setEdited] = useState<Tag[]>();
  const now = tags.data ?? [];
  const fault = edited && tagFault(edited);
  return (
    <SpaceBetween size="m">
      <ErrorBox error={tags.error} onRetry={() => void tags.reload()} />
      <Table
        items={now}
        trackBy="Key"
        loading={tags.loading && !tags.data}
        loadingText="Loading tags"
        ariaLabels={{ tableLabel: "Tags" }}
        header={
          <Header counter={`(${now.length})`} actions={<Button onClick={() => setEdited(now.map((t) => ({ ...t })))}>Manage tags</Button>}>
            Tags
          </Header>
        }
        columnDefinitions={[
          { id: "key", header: "Key", cell: (t) => t.Key, isRowHeader: true },
          { id: "value", header: "Value", cell: (t) => t.Value || "-" },
        ]}
        empty={<Box textAlign="center">No tags associated with the resource.</Box>}
      />
      {edited && (
        <ConfirmModal
          title="Manage tags"
          verb="Save changes"
          large
          ready={!fault}
          onDismiss={() => setEdited(undefined)}
          onConfirm={async () => {
            const set = edited.filter((t) => !now.some((n) => n.Key === t.Key && n.Value === t.Value));
            const remove = now.filter((n) => !edited.some((t) => t.Key === n.Key)).map((n) => n.Key);
            await save(set, remove);
            await tags.reload();
          }}
        >
          <TagsEditor tags={edited} onChange={setEdited} />
          {fault && <Alert type="error">{fault}</Alert>}
        </ConfirmModal>
      )}
    </SpaceBetween>
  );
}
