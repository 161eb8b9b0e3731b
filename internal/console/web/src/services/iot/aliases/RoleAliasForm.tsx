import Alert from "@cloudscape-design/components/alert";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { CreateRoleAliasCommand, DescribeRoleAliasCommand, UpdateRoleAliasCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { Part } from "../../../kit/DetailPage";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { send } from "../api";
import { aliasPattern, nameFault } from "../names";
import { roleFault, RoleInput, useRoles } from "../RoleInput";
import { aliasLink } from "./RoleAliases";

/** RoleAliasCreate makes a role alias. */
export function RoleAliasCreate() {
  return <Form start={{ role: "", seconds: "3600" }} />;
}

/** RoleAliasEdit changes a role alias. */
export function RoleAliasEdit({ params: { name = "" } }: { params: Params }) {
  const alias = useLoad(async () => (await send(new DescribeRoleAliasCommand({ roleAlias: name }))).roleAliasDescription, [name]);
  return <Part of={alias}>{(a) => <Form name={name} start={{ role: a?.roleArn ?? "", seconds: String(a?.credentialDurationSeconds ?? 3600) }} />}</Part>;
}

function Form({ name: old, start }: { name?: string; start: { role: string; seconds: string } }) {
  const notify = useNotify();
  const roles = useRoles();
  const [name, setName] = useState(old ?? "");
  const [role, setRole] = useState(start.role);
  const [seconds, setSeconds] = useState(start.seconds);
  const [tried, setTried] = useState(false);
  const n = Number(seconds);
  const fault = {
    name: nameFault(name, "role alias name", aliasPattern),
    role: roleFault(role),
    seconds: Number.isInteger(n) && n >= 900 && n <= 43200 ? undefined : "A whole number of seconds, from 900 (15 minutes) to 43200 (12 hours).",
  };
  const chosen = roles.data?.find((r) => r.Arn === role);
  const trusts = !chosen || decodeURIComponent(chosen.AssumeRolePolicyDocument ?? "").includes("credentials.iot.amazonaws.com");
  return (
    <FormPage
      title={old ? `Edit ${old}` : "Create role alias"}
      description="Devices ask the credentials provider for credentials by the alias; their policy allows iot:AssumeRoleWithCertificate on it."
      submit={old ? "Save changes" : "Create"}
      onCancel={() => go(old ? aliasLink(old) : "#/iot/role-aliases")}
      valid={() => {
        setTried(true);
        return !fault.name && !fault.role && !fault.seconds;
      }}
      onSubmit={async () => {
        const input = { roleAlias: name, roleArn: role, credentialDurationSeconds: n };
        await (old ? send(new UpdateRoleAliasCommand(input)) : send(new CreateRoleAliasCommand(input)));
        notify({ type: "success", content: `Role alias ${name} ${old ? "saved" : "created"}.` });
        go(aliasLink(name));
      }}
    >
      <Container header={<Header variant="h2">Role alias properties</Header>}>
        <SpaceBetween size="m">
          <FormField label="Role alias name" constraintText="Up to 128 letters, digits, and = , @ _ -" errorText={tried && fault.name}>
            <Input value={name} onChange={({ detail }) => setName(detail.value)} disabled={!!old} autoComplete={false} />
          </FormField>
          <FormField label="Role" description="An IAM role that trusts credentials.iot.amazonaws.com." errorText={tried && fault.role}>
            <RoleInput roles={roles} value={role} onChange={setRole} />
          </FormField>
          {!trusts && <Alert type="warning">The role's trust policy does not name credentials.iot.amazonaws.com: devices cannot take it.</Alert>}
          <FormField label="Credential duration (seconds)" errorText={tried && fault.seconds}>
            <Input type="number" value={seconds} onChange={({ detail }) => setSeconds(detail.value)} />
          </FormField>
        </SpaceBetween>
      </Container>
    </FormPage>
  );
}
