import Alert from "@cloudscape-design/components/alert";
import Container from "@cloudscape-design/components/container";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Autosuggest from "@cloudscape-design/components/autosuggest";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { IAMClient, ListRolesCommand } from "@aws-sdk/client-iam";
import { CreateRoleAliasCommand, DescribeRoleAliasCommand, UpdateRoleAliasCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { Part } from "../../../kit/DetailPage";
import { FormPage } from "../../../kit/FormPage";
import { useLoad } from "../../../kit/load";
import { all, aws } from "../../../session/aws";
import type { Params } from "../../service";
import { send } from "../api";
import { aliasPattern, nameFault } from "../names";
import { aliasLink } from "./RoleAliases";

const listRoles = () => all((Marker) => aws(IAMClient).send(new ListRolesCommand({ Marker })), (p) => p.Roles, (p) => p.Marker);

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
  const roles = useLoad(listRoles, []);
  const [name, setName] = useState(old ?? "");
  const [role, setRole] = useState(start.role);
  const [seconds, setSeconds] = useState(start.seconds);
  const [tried, setTried] = useState(false);
  const n = Number(seconds);
  const fault = {
    name: nameFault(name, "role alias name", aliasPattern),
    role: /^arn:[^:]+:iam::\d{12}:role\/.+/.test(role) ? undefined : "Enter the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME",
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
            <Autosuggest
              value={role}
              onChange={({ detail }) => setRole(detail.value.trim())}
              options={(roles.data ?? []).map((r) => ({ value: r.Arn ?? "", description: r.Description }))}
              enteredTextLabel={(v) => `Use "${v}"`}
              placeholder="arn:aws:iam::ACCOUNT:role/NAME"
              ariaLabel="Role"
              statusType={roles.loading ? "loading" : "finished"}
              empty="No roles"
            />
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
