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
import { useMany } from "../../../kit/many";
import type { Params } from "../../service";
import { listGroups, pageOfThings, send, thingsInGroup } from "../api";
import { Attached } from "../Attached";
import { AttachedPolicies, usePoliciesOf } from "../AttachedPolicies";
import { groupColumns, groupLink, nameColumn, thingColumns, thingLink } from "../columns";
import { attributesOf } from "../names";
import { Pick } from "../Pick";
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
  const things = useLoad(() => thingsInGroup(name), [name], 15_000);
  const [asking, ask] = useState(false);
  return (
    <>
      <Attached
        title="Things"
        items={things}
        id={(t) => t}
        columns={[nameColumn("Name", thingLink)]}
        one="thing"
        whose={name}
        empty="There are no things in this group."
        attach="Add things"
        detach="Remove"
        onAttach={() => ask(true)}
        onDetach={(thingName) => send(new RemoveThingFromThingGroupCommand({ thingName, thingGroupName: name }))}
        warning="The policies of the group no longer hold for them."
      />
      {asking && <AddThings name={name} except={things.data ?? []} onDismiss={() => ask(false)} onDone={things.reload} />}
    </>
  );
}

function AddThings({ name, except, onDismiss, onDone }: { name: string; except: string[]; onDismiss: () => void; onDone: () => Promise<void> }) {
  const things = useMany((next) => pageOfThings({}, next), [], "things");
  return (
    <Pick
      title={`Add things to ${name}`}
      verb="Add things"
      what="Things"
      items={things}
      id={(t) => t.thingName ?? ""}
      columns={thingColumns}
      except={except}
      empty="There are no other things."
      onDismiss={onDismiss}
      onPick={async (picked) => {
        for (const t of picked) await send(new AddThingToThingGroupCommand({ thingName: t.thingName, thingGroupName: name }));
        await onDone();
      }}
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
