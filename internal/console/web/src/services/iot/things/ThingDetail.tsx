import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import Header from "@cloudscape-design/components/header";
import { DescribeThingCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { send } from "../api";
import { billingLink, typeLink } from "../columns";
import { attributesOf } from "../names";
import { Shadows } from "../shadows/Shadows";
import { Activity } from "./Activity";
import { Interact } from "./Interact";
import { BillingGroups, Certificates, Groups } from "./Relations";
import { DeleteThings } from "./Things";

/** ThingDetail is the screen of a thing. */
export function ThingDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const thing = useLoad(() => send(new DescribeThingCommand({ thingName: name })), [name], 15_000);
  const [doomed, doom] = useState(false);
  return (
    <>
      <DetailPage
        title={name}
        of={thing}
        summaryTitle="Thing details"
        summary={(t) => [
          { label: "Name", value: t.thingName },
          { label: "ARN", value: <Copy text={t.thingArn ?? ""} what="ARN" /> },
          { label: "Type", value: t.thingTypeName ? <Link href={typeLink(t.thingTypeName)}>{t.thingTypeName}</Link> : "-" },
          { label: "Billing group", value: t.billingGroupName ? <Link href={billingLink(t.billingGroupName)}>{t.billingGroupName}</Link> : "-" },
          { label: "Thing ID", value: t.thingId },
          { label: "Version", value: t.version },
        ]}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => doom(true)}>Delete</Button>
            <Button href={to(["iot", "things", "details", name, "edit"])}>Edit</Button>
          </SpaceBetween>
        )}
        tabs={(t) => [
          { id: "attributes", label: "Attributes", content: <Attributes of={t.attributes} edit={to(["iot", "things", "details", name, "edit"])} /> },
          { id: "certificates", label: "Certificates", content: <Certificates name={name} /> },
          { id: "thing_groups", label: "Thing groups", content: <Groups name={name} /> },
          { id: "billing_groups", label: "Billing groups", content: <BillingGroups name={name} has={t.billingGroupName} onChanged={thing.reload} /> },
          { id: "shadows", label: "Device Shadows", content: <Shadows name={name} /> },
          { id: "interact", label: "Interact", content: <Interact name={name} /> },
          { id: "activity", label: "Activity", content: <Activity name={name} /> },
        ]}
      />
      {doomed && (
        <DeleteThings
          names={[name]}
          onDismiss={() => doom(false)}
          onDeleted={() => {
            notify({ type: "success", content: `Thing ${name} deleted.` });
            go("#/iot/things");
          }}
        />
      )}
    </>
  );
}

function Attributes({ of, edit }: { of: Record<string, string> | undefined; edit: string }) {
  const attributes = attributesOf(of).sort((a, b) => a.name.localeCompare(b.name));
  return (
    <Table
      items={attributes}
      trackBy="name"
      wrapLines
      ariaLabels={{ tableLabel: "Attributes" }}
      header={
        <Header counter={`(${attributes.length})`} actions={<Button href={edit}>Edit attributes</Button>}>
          Attributes
        </Header>
      }
      columnDefinitions={[
        { id: "key", header: "Key", cell: (a) => a.name, isRowHeader: true },
        { id: "value", header: "Value", cell: (a) => a.value || "-" },
      ]}
      empty={<Box textAlign="center">No attributes associated with this thing.</Box>}
    />
  );
}
