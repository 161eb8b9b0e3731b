import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { Copy } from "../kit/Copy";
import { ErrorBox } from "../kit/ErrorBox";
import { time } from "../kit/format";
import { useAction } from "../kit/load";
import { MFA } from "../services/iam/users/MFA";
import { signInURL, useSession } from "../session/identity";
import { changePassword } from "../session/signin";
import { useNotify } from "./notices";
import { to } from "./route";

/** Account says who is signed in, with which MFA devices, and changes the password. */
export default function Account() {
  const { who } = useSession();
  const own = who.type === "Root" || who.type === "IAMUser";
  return (
    <ContentLayout header={<Header variant="h1">{who.type === "Root" ? "Account" : "Security credentials"}</Header>}>
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Signed in</Header>}>
          <KeyValuePairs
            columns={2}
            minColumnWidth={220}
            items={[
              { label: "Account ID", value: <Copy text={who.account} what="Account ID" /> },
              { label: "Account alias", value: who.alias ?? "-" },
              { label: "ARN", value: <Copy text={who.arn} what="ARN" /> },
              { label: "Session ends", value: time(new Date(who.expiration)) },
              { label: "Signed in with MFA", value: who.mfa ? "Yes" : "No" },
              { label: "Sign-in URL for IAM users in this account", value: <Copy text={signInURL(who.alias ?? who.account)} what="Sign-in URL" /> },
            ]}
          />
        </Container>
        {who.userName && (
          <Box>
            Access keys are on the <Link href={to(["iam", "users", "details", who.userName], { tab: "security_credentials" })}>page of the user</Link>.
          </Box>
        )}
        {own && <MFA user={who.userName ?? who.account} who="You" />}
        {own && <Password />}
      </SpaceBetween>
    </ContentLayout>
  );
}

function Password() {
  const { changed } = useSession();
  const notify = useNotify();
  const action = useAction();
  const [old, setOld] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [tried, setTried] = useState(false);
  const submit = async () => {
    setTried(true);
    if (!old || !password || password !== again) return;
    if (await action.run(async () => changed(await changePassword(old, password)))) {
      setOld("");
      setPassword("");
      setAgain("");
      setTried(false);
      notify({ type: "success", content: "Your password is changed. Other sessions of yours have ended." });
    }
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void submit();
      }}
    >
      <Container header={<Header variant="h2">Console password</Header>}>
        <Form actions={<Button loading={action.busy}>Change password</Button>}>
          <SpaceBetween size="m">
            <ErrorBox error={action.error} what="The password is not changed" />
            <FormField label="Current password" errorText={tried && !old && "Enter the current password."}>
              <Input type="password" autoComplete="current-password" value={old} onChange={({ detail }) => setOld(detail.value)} />
            </FormField>
            <FormField label="New password" errorText={tried && !password && "Enter the new password."}>
              <Input type="password" autoComplete="new-password" value={password} onChange={({ detail }) => setPassword(detail.value)} />
            </FormField>
            <FormField label="Confirm new password" errorText={tried && password !== again && "The two new passwords are not the same."}>
              <Input type="password" autoComplete="new-password" value={again} onChange={({ detail }) => setAgain(detail.value)} />
            </FormField>
          </SpaceBetween>
        </Form>
      </Container>
    </form>
  );
}
