import Button from "@cloudscape-design/components/button";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { DeprecateThingTypeCommand, DescribeThingTypeCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import { useMany } from "../../../kit/many";
import type { Params } from "../../service";
import { pageOfThings, send } from "../api";
import { thingColumns } from "../columns";
import { ResourceTags } from "../ResourceTags";
import { DeleteType, TypeStatus } from "./Types";

/** TypeDetail is the screen of a thing type. */
export function TypeDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const type = useLoad(() => send(new DescribeThingTypeCommand({ thingTypeName: name })), [name], 15_000);
  const [asking, ask] = useState<"deprecate" | "delete">();
  const deprecated = type.data?.thingTypeMetadata?.deprecated ?? false;
  return (
    <>
      <DetailPage
        title={name}
        of={type}
        summaryTitle="Details"
        summary={(t) => [
          { label: "ARN", value: <Copy text={t.thingTypeArn ?? ""} what="ARN" /> },
          { label: "Status", value: <TypeStatus deprecated={deprecated} /> },
          { label: "Created", value: time(t.thingTypeMetadata?.creationDate) },
          { label: "Description", value: t.thingTypeProperties?.thingTypeDescription || "-" },
          { label: "Searchable attributes", value: t.thingTypeProperties?.searchableAttributes?.join(", ") || "-" },
          { label: "Deprecated", value: time(t.thingTypeMetadata?.deprecationDate) },
        ]}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => ask("delete")}>Delete</Button>
            <Button onClick={() => ask("deprecate")}>{deprecated ? "Undo deprecation" : "Deprecate"}</Button>
          </SpaceBetween>
        )}
        tabs={(t) => [
          { id: "things", label: "Things", content: <Things type={name} /> },
          { id: "tags", label: "Tags", content: <ResourceTags arn={t.thingTypeArn ?? ""} /> },
        ]}
      />
      {asking === "deprecate" && (
        <ConfirmModal
          title={deprecated ? `Undo the deprecation of ${name}?` : `Deprecate ${name}?`}
          verb={deprecated ? "Undo deprecation" : "Deprecate"}
          onDismiss={() => ask(undefined)}
          onConfirm={async () => {
            await send(new DeprecateThingTypeCommand({ thingTypeName: name, undoDeprecate: deprecated }));
            await type.reload();
          }}
        >
          {deprecated ? "Things can be given this type again." : "No more things can be given this type. Those that have it keep it. It can be deleted five minutes later."}
        </ConfirmModal>
      )}
      {asking === "delete" && (
        <DeleteType
          name={name}
          onDismiss={() => ask(undefined)}
          onDeleted={() => {
            notify({ type: "success", content: `Thing type ${name} deleted.` });
            go("#/iot/thing-types");
          }}
        />
      )}
    </>
  );
}

function Things({ type }: { type: string }) {
  const things = useMany((next) => pageOfThings({ type }, next), [type], "things", 15_000);
  return (
    <List variant="container" title="Things" description={things.note} items={things} id={(t) => t.thingName ?? ""} columns={thingColumns} filter="Search things" empty={{ title: "No things", text: "There are no things of this type." }} page={20} />
  );
}
