import Button from "@cloudscape-design/components/button";
import FormField from "@cloudscape-design/components/form-field";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Textarea from "@cloudscape-design/components/textarea";
import { AddThingToBillingGroupCommand, DescribeBillingGroupCommand, RemoveThingFromBillingGroupCommand, UpdateBillingGroupCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { ConfirmModal } from "../../../kit/ConfirmModal";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { send, thingsInBillingGroup } from "../api";
import { GroupThings } from "../GroupThings";
import { ResourceTags } from "../ResourceTags";
import { DeleteBillingGroup } from "./BillingGroups";

/** BillingGroupDetail is the screen of a billing group. */
export function BillingGroupDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const group = useLoad(() => send(new DescribeBillingGroupCommand({ billingGroupName: name })), [name], 15_000);
  const [asking, ask] = useState<"delete" | "edit">();
  const [description, setDescription] = useState("");
  return (
    <>
      <DetailPage
        title={name}
        of={group}
        summaryTitle="Details"
        summary={(g) => [
          { label: "ARN", value: <Copy text={g.billingGroupArn ?? ""} what="ARN" /> },
          { label: "Description", value: g.billingGroupProperties?.billingGroupDescription || "-" },
          { label: "Created", value: time(g.billingGroupMetadata?.creationDate) },
        ]}
        actions={(g) => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => ask("delete")}>Delete</Button>
            <Button
              onClick={() => {
                setDescription(g.billingGroupProperties?.billingGroupDescription ?? "");
                ask("edit");
              }}
            >
              Edit
            </Button>
          </SpaceBetween>
        )}
        tabs={(g) => [
          { id: "things", label: "Things", content: <Things name={name} /> },
          { id: "tags", label: "Tags", content: <ResourceTags arn={g.billingGroupArn ?? ""} /> },
        ]}
      />
      {asking === "edit" && (
        <ConfirmModal
          title={`Edit ${name}`}
          verb="Save changes"
          onDismiss={() => ask(undefined)}
          onConfirm={async () => {
            await send(new UpdateBillingGroupCommand({ billingGroupName: name, billingGroupProperties: { billingGroupDescription: description } }));
            await group.reload();
          }}
        >
          <FormField label="Description">
            <Textarea value={description} onChange={({ detail }) => setDescription(detail.value)} rows={2} />
          </FormField>
        </ConfirmModal>
      )}
      {asking === "delete" && (
        <DeleteBillingGroup
          name={name}
          onDismiss={() => ask(undefined)}
          onDeleted={() => {
            notify({ type: "success", content: `Billing group ${name} deleted.` });
            go("#/iot/billing-groups");
          }}
        />
      )}
    </>
  );
}

function Things({ name }: { name: string }) {
  return (
    <GroupThings
      name={name}
      list={thingsInBillingGroup}
      add={(thingName) => send(new AddThingToBillingGroupCommand({ thingName, billingGroupName: name }))}
      remove={(thingName) => send(new RemoveThingFromBillingGroupCommand({ thingName, billingGroupName: name }))}
      empty="There are no things in this billing group."
      warning="They are in no billing group then."
    />
  );
}
