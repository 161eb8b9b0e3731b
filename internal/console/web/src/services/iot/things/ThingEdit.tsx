import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Box from "@cloudscape-design/components/box";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { DescribeThingCommand, UpdateThingCommand, type DescribeThingResponse } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { Part } from "../../../kit/DetailPage";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { listTypes, send } from "../api";
import { AttributesEditor } from "../AttributesEditor";
import { thingLink } from "../columns";
import { attributesFault, attributesOf, recordOf } from "../names";
import { mostAttributes } from "./properties";
import { Choose } from "./PropertiesForm";

/** ThingEdit changes a thing's type and attributes. */
export function ThingEdit({ params: { name = "" } }: { params: Params }) {
  const thing = useLoad(() => send(new DescribeThingCommand({ thingName: name })), [name]);
  return <Part of={thing}>{(t) => <Form of={t} />}</Part>;
}

function Form({ of }: { of: DescribeThingResponse }) {
  const notify = useNotify();
  const name = of.thingName ?? "";
  const types = useLoad(listTypes, []);
  const [type, setType] = useState(of.thingTypeName);
  const [attributes, setAttributes] = useState(() => attributesOf(of.attributes));
  const [tried, setTried] = useState(false);
  const fault = attributesFault(attributes);
  return (
    <FormPage
      title={`Edit ${name}`}
      description="The name of a thing cannot be changed."
      submit="Save changes"
      onCancel={() => go(thingLink(name))}
      valid={() => {
        setTried(true);
        return !fault;
      }}
      onSubmit={async () => {
        const removeThingType = !!of.thingTypeName && !type;
        await send(
          new UpdateThingCommand({
            thingName: name,
            thingTypeName: type !== of.thingTypeName ? type : undefined,
            removeThingType: removeThingType || undefined,
            attributePayload: { attributes: recordOf(attributes), merge: false },
            expectedVersion: of.version,
          }),
        );
        notify({ type: "success", content: `Thing ${name} saved.` });
        go(thingLink(name));
      }}
    >
      <Container header={<Header variant="h2">Thing properties</Header>}>
        <SpaceBetween size="m">
          <FormField label="Thing type">
            <Choose label="Thing type" value={type} onChange={setType} items={types} options={(types.data ?? []).filter((t) => !t.thingTypeMetadata?.deprecated || t.thingTypeName === of.thingTypeName).map((t) => t.thingTypeName ?? "")} />
          </FormField>
          <AttributesEditor attributes={attributes} onChange={setAttributes} max={mostAttributes(type)} />
          {tried && fault && <Box color="text-status-error">{fault}</Box>}
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}
