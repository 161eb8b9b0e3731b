import Button from "@cloudscape-design/components/button";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { GetPolicyCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { Copy } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { send } from "../api";
import { ResourceTags } from "../ResourceTags";
import { DeletePolicy } from "./Policies";
import { Targets } from "./Targets";
import { Versions } from "./Versions";

/** PolicyDetail is the screen of an IoT policy. */
export function PolicyDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const policy = useLoad(() => send(new GetPolicyCommand({ policyName: name })), [name], 30_000);
  const [doomed, doom] = useState(false);
  return (
    <>
      <DetailPage
        title={name}
        of={policy}
        summaryTitle="Details"
        summary={(p) => [
          { label: "Policy ARN", value: <Copy text={p.policyArn ?? ""} what="Policy ARN" /> },
          { label: "Active version", value: p.defaultVersionId },
          { label: "Created", value: time(p.creationDate) },
          { label: "Last updated", value: time(p.lastModifiedDate) },
        ]}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => doom(true)}>Delete</Button>
            <Button href={to(["iot", "policies", "details", name, "edit"])}>Edit active version</Button>
          </SpaceBetween>
        )}
        tabs={(p) => [
          { id: "versions", label: "Versions", content: <Versions name={name} active={p.defaultVersionId ?? ""} onChanged={policy.reload} /> },
          { id: "targets", label: "Targets", content: <Targets name={name} /> },
          { id: "tags", label: "Tags", content: <ResourceTags arn={p.policyArn ?? ""} /> },
        ]}
      />
      {doomed && (
        <DeletePolicy
          name={name}
          onDismiss={() => doom(false)}
          onDeleted={() => {
            notify({ type: "success", content: `Policy ${name} deleted.` });
            go("#/iot/policies");
          }}
        />
      )}
    </>
  );
}
