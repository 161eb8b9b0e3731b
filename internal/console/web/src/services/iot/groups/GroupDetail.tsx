import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { AddThingToThingGroupCommand, DescribeThingGroupCommand, RemoveThingFromThingGroupCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { List } from "../../../kit/ListPage";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { listGroups, send, thingsInGroup } from "../api";
import { AttachedPolicies, usePoliciesOf } from "../AttachedPolicies";
import { groupColumns, groupLink } from "../columns";
import { GroupThings } from "../GroupThings";
import { attributesOf } from "../names";
import { ResourceTags } from "../ResourceTags";
import { DeleteGroup } from "./Groups";

/** GroupDetail is the screen of a thing group. */
export function GroupDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const group = useLoad(() => send(new DescribeThingGroupCommand({ thingGroupName: name })), [name], 15_000);
  const arn = group.data?.thingGroupArn ?? "";
  const policies = usePoliciesOf(arn);
  const [doomed, doom] = useState(false);
  return (
    <>
      <DetailPage
        title={name}
        of={group}
        summaryTitle="Details"
        summary={(g) => [
          { label: "ARN", value: <Copy text={arn} what="ARN" /> },
          { label: "Type", value: g.queryString === undefined ? "Static" : "Dynamic" },
          { label: "Hierarchy", value: <Hierarchy above={g.thingGroupMetadata?.rootToParentThingGroups?.map((x) => x.groupName ?? "") ?? []} name={name} /> },
          { label: "Description", value: g.thingGroupProperties?.thingGroupDescription || "-" },
          { label: "Created", value: time(g.thingGroupMetadata?.creationDate) },
          { label: "Version", value: g.version },
        ]}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => doom(true)}>Delete</Button>
            <Button href={to(["iot", "thing-groups", "details", name, "edit"])}>Edit</Button>
          </SpaceBetween>
        )}
        tabs={(g) => [
          { id: "things", label: "Things", content: <Things name={name} /> },
          { id: "groups", label: "Thing groups", content: <Below name={name} /> },
          { id: "policies", label: "Policies", content: <AttachedPolicies target={arn} policies={policies} whose="this thing group" /> },
          { id: "attributes", label: "Attributes", content: <Attributes of={g.thingGroupProperties?.attributePayload?.attributes} /> },
          { id: "tags", label: "Tags", content: <ResourceTags arn={arn} /> },
        ]}
      />
      {doomed && (
        <DeleteGroup
          name={name}
          onDismiss={() => doom(false)}
          onDeleted={() => {
            notify({ type: "success", content: `Thing group ${name} deleted.` });
            go("#/iot/thing-groups");
          }}
        />
      )}
    </>
  );
}

function Hierarchy({ above, name }: { above: string[]; name: string }) {
  return (
    <>
      {above.map((g) => (
        <span key={g}>
          <Link href={groupLink(g)}>{g}</Link>
          {" / "}
        </span>
      ))}
      {name}
    </>
  );
}

function Things({ name }: { name: string }) {
  return (
    <GroupThings
      name={name}
      list={thingsInGroup}
      add={(thingName) => send(new AddThingToThingGroupCommand({ thingName, thingGroupName: name }))}
      remove={(thingName) => send(new RemoveThingFromThingGroupCommand({ thingName, thingGroupName: name }))}
      empty="There are no things in this group."
      warning="The policies of the group no longer hold for them."
    />
  );
}

function Below({ name }: { name: string }) {
  const groups = useLoad(() => listGroups(name), [name], 15_000);
  const create = (
    <Button href={to(["iot", "thing-groups", "create"], { parent: name })}>Create thing group</Button>
  );
  return (
    <List
      variant="container"
      title="Thing groups"
      description="The groups directly below this one."
      items={groups}
      id={(g) => g.groupName ?? ""}
      columns={groupColumns}
      empty={{ title: "No thing groups", text: "There are no groups in this group." }}
      actions={() => create}
    />
  );
}

function Attributes({ of }: { of: Record<string, string> | undefined }) {
  const attributes = attributesOf(of);
  return (
    <Table
      items={attributes}
      trackBy="name"
      wrapLines
      ariaLabels={{ tableLabel: "Attributes" }}
      header={<Header counter={`(${attributes.length})`}>Attributes</Header>}
      columnDefinitions={[
        { id: "key", header: "Key", cell: (a) => a.name, isRowHeader: true },
        { id: "value", header: "Value", cell: (a) => a.value || "-" },
      ]}
      empty={<Box textAlign="center">No attributes associated with this group.</Box>}
    />
  );
}
