import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { DescribeRoleAliasCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go, to } from "../../../frame/route";
import { Copy, CopyButton } from "../../../kit/Copy";
import { DetailPage, Part } from "../../../kit/DetailPage";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { endpoint, send } from "../api";
import { ResourceTags } from "../ResourceTags";
import { lastOf } from "../names";
import { DeleteAlias } from "./RoleAliases";

/** RoleAliasDetail is the screen of a role alias. */
export function RoleAliasDetail({ params: { name = "" } }: { params: Params }) {
  const notify = useNotify();
  const alias = useLoad(async () => (await send(new DescribeRoleAliasCommand({ roleAlias: name }))).roleAliasDescription, [name], 30_000);
  const [doomed, doom] = useState(false);
  return (
    <>
      <DetailPage
        title={name}
        of={alias}
        summaryTitle="Details"
        summary={(a) => [
          { label: "ARN", value: <Copy text={a.roleAliasArn ?? ""} what="ARN" /> },
          { label: "Role", value: <Link href={to(["iam", "roles", "details", lastOf(a.roleArn).split("/").at(-1) ?? ""])}>{a.roleArn}</Link> },
          { label: "Credential duration", value: `${a.credentialDurationSeconds} seconds` },
          { label: "Owner", value: a.owner },
          { label: "Created", value: time(a.creationDate) },
          { label: "Last updated", value: time(a.lastModifiedDate) },
        ]}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => doom(true)}>Delete</Button>
            <Button href={to(["iot", "role-aliases", "details", name, "edit"])}>Edit</Button>
          </SpaceBetween>
        )}
        tabs={(a) => [
          { id: "use", label: "Use", content: <Use name={name} arn={a.roleAliasArn ?? ""} /> },
          { id: "tags", label: "Tags", content: <ResourceTags arn={a.roleAliasArn ?? ""} /> },
        ]}
      />
      {doomed && (
        <DeleteAlias
          name={name}
          onDismiss={() => doom(false)}
          onDeleted={() => {
            notify({ type: "success", content: `Role alias ${name} deleted.` });
            go("#/iot/role-aliases");
          }}
        />
      )}
    </>
  );
}

/** Use is how a device asks for credentials. */
function Use({ name, arn }: { name: string; arn: string }) {
  const host = useLoad(() => endpoint("iot:CredentialProvider"), []);
  return (
    <Part of={host}>
      {(address) => {
        const command = `curl --cert device.pem.crt --key private.pem.key --cacert AmazonRootCA1.pem -H "x-amzn-iot-thingname: THING" https://${address}/role-aliases/${encodeURIComponent(name)}/credentials`;
        const policy = JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "iot:AssumeRoleWithCertificate", Resource: arn }] }, null, 2);
        return (
          <SpaceBetween size="l">
            <Container header={<Header variant="h2" actions={<CopyButton text={command} what="Command" />}>Ask for credentials</Header>}>
              <pre className="preserve">{command}</pre>
            </Container>
            <Container header={<Header variant="h2" description="Attach it to the device's certificate." actions={<CopyButton text={policy} what="Policy" />}>Policy of the device</Header>}>
              <pre className="preserve">{policy}</pre>
            </Container>
          </SpaceBetween>
        );
      }}
    </Part>
  );
}
