import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { CreateThingGroupCommand, DescribeThingGroupCommand, UpdateThingGroupCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, usePlace } from "../../../frame/route";
import { Part } from "../../../kit/DetailPage";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import { tagFault, TagsSection, type Tag } from "../../../kit/Tags";
import type { Params } from "../../service";
import { listGroups, send } from "../api";
import { AttributesEditor } from "../AttributesEditor";
import { groupLink } from "../columns";
import { attributesFault, attributesOf, nameFault, recordOf, type Attribute } from "../names";
import { Choose } from "../things/PropertiesForm";

/** GroupCreate makes a static thing group, below another one or not. */
export function GroupCreate() {
  const notify = useNotify();
  const above = usePlace().query.get("parent") ?? undefined;
  const groups = useLoad(() => listGroups(), []);
  const [name, setName] = useState("");
  const [parent, setParent] = useState(above);
  const [description, setDescription] = useState("");
  const [attributes, setAttributes] = useState<Attribute[]>([]);
  const [tags, setTags] = useState<Tag[]>([]);
  const [tried, setTried] = useState(false);
  const fault = nameFault(name, "thing group name");
  return (
    <FormPage
      title="Create static thing group"
      description="A static thing group holds the things that are added to it."
      submit="Create thing group"
      onCancel={() => go("#/iot/thing-groups")}
      valid={() => {
        setTried(true);
        return !fault && !attributesFault(attributes) && !tagFault(tags);
      }}
      onSubmit={async () => {
        const thingGroupProperties = { thingGroupDescription: description || undefined, attributePayload: attributes.length ? { attributes: recordOf(attributes) } : undefined };
        await send(new CreateThingGroupCommand({ thingGroupName: name, parentGroupName: parent, thingGroupProperties, tags: tags.length ? tags : undefined }));
        notify({ type: "success", content: `Thing group ${name} created.` });
        go(groupLink(name));
      }}
    >
      <Container header={<Header variant="h2">Thing group properties</Header>}>
        <SpaceBetween size="m">
          <FormField label="Thing group name" constraintText="Up to 128 letters, digits, and : _ - A name cannot be changed later." errorText={tried && fault}>
            <Input value={name} onChange={({ detail }) => setName(detail.value)} autoComplete={false} />
          </FormField>
          <FormField label="Parent group - optional" description="Policies of the groups above hold for the things below. It cannot be changed later.">
            <Choose label="Parent group" value={parent} onChange={setParent} items={groups} options={(groups.data ?? []).map((g) => g.groupName ?? "")} />
          </FormField>
          <Properties description={description} onDescription={setDescription} attributes={attributes} onAttributes={setAttributes} tried={tried} />
        </SpaceBetween>
      </Container>
      <TagsSection tags={tags} onChange={setTags} />
    </FormPage>
  );
}

/** GroupEdit changes a thing group's description and attributes. */
export function GroupEdit({ params: { name = "" } }: { params: Params }) {
  const group = useLoad(() => send(new DescribeThingGroupCommand({ thingGroupName: name })), [name]);
  return (
    <Part of={group}>
      {(g) => <Form name={name} version={g.version} start={{ description: g.thingGroupProperties?.thingGroupDescription ?? "", attributes: attributesOf(g.thingGroupProperties?.attributePayload?.attributes) }} />}
    </Part>
  );
}

function Form({ name, version, start }: { name: string; version?: number; start: { description: string; attributes: Attribute[] } }) {
  const notify = useNotify();
  const [description, setDescription] = useState(start.description);
  const [attributes, setAttributes] = useState(start.attributes);
  const [tried, setTried] = useState(false);
  return (
    <FormPage
      title={`Edit ${name}`}
      submit="Save changes"
      onCancel={() => go(groupLink(name))}
      valid={() => {
        setTried(true);
        return !attributesFault(attributes);
      }}
      onSubmit={async () => {
        await send(
          new UpdateThingGroupCommand({
            thingGroupName: name,
            thingGroupProperties: { thingGroupDescription: description, attributePayload: { attributes: recordOf(attributes), merge: false } },
            expectedVersion: version,
          }),
        );
        notify({ type: "success", content: `Thing group ${name} saved.` });
        go(groupLink(name));
      }}
    >
      <Container header={<Header variant="h2">Thing group properties</Header>}>
        <SpaceBetween size="m">
          <Properties description={description} onDescription={setDescription} attributes={attributes} onAttributes={setAttributes} tried={tried} />
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}

function Properties(p: { description: string; onDescription: (d: string) => void; attributes: Attribute[]; onAttributes: (a: Attribute[]) => void; tried: boolean }) {
  return (
    <SpaceBetween size="m">
      <FormField label="Description - optional">
        <Textarea value={p.description} onChange={({ detail }) => p.onDescription(detail.value)} rows={2} />
      </FormField>
      <AttributesEditor attributes={p.attributes} onChange={p.onAttributes} max={50} />
      {p.tried && attributesFault(p.attributes) && <Box color="text-status-error">{attributesFault(p.attributes)}</Box>}
    </SpaceBetween>
  );
}
