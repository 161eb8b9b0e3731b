import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Form from "@cloudscape-design/components/form";
import FormField from "@cloudscape-design/components/form-field";
import Header from "@cloudscape-design/components/header";
import Input, { type InputProps } from "@cloudscape-design/components/input";
import Link from "@cloudscape-design/components/link";
import RadioGroup from "@cloudscape-design/components/radio-group";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useEffect, useRef, useState, type ReactNode } from "react";
import * as signin from "../session/signin";

type Need = "mfaCode" | "newPassword";

interface Props {
  account?: string; // of a sign-in URL
  ended?: boolean; // there was a session a moment ago
  now?: signin.Identity; // who is signed in, and would be no more
  onSignedIn: (who: signin.Identity) => void;
}

/** SignIn is where root users sign in by e-mail address, IAM users by account and name. */
export default function SignIn({ account = "", ended, now, onSignedIn }: Props) {
  const [kind, setKind] = useState(account ? "user" : "root");
  const [email, setEmail] = useState("");
  const [accountID, setAccountID] = useState(account);
  const [userName, setUserName] = useState("");
  const [password, setPassword] = useState("");
  const [newPassword, setNewPassword] = useState("");
  const [again, setAgain] = useState("");
  const [code, setCode] = useState("");
  const [needs, setNeeds] = useState<Need[]>([]);
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const first = useRef<InputProps.Ref>(null);

  useEffect(() => {
    document.title = "Sign in | thingd";
  }, []);
  useEffect(() => first.current?.focus(), [kind, needs]);

  const submit = async () => {
    const lacking =
      kind === "root" && !email
        ? "Enter the email address of the root user."
        : kind === "user" && (!accountID || !userName)
          ? "Enter the account and the IAM user name."
          : !password
            ? "Enter the password."
            : needs.includes("newPassword") && newPassword !== again
              ? "The two new passwords are not the same."
              : undefined;
    setError(lacking);
    if (lacking) return;
    setBusy(true);
    try {
      const who = await signin.signIn({
        ...(kind === "root" ? { email } : { account: accountID.trim(), userName }),
        password,
        ...(needs.includes("newPassword") ? { newPassword } : {}),
        ...(needs.includes("mfaCode") ? { mfaCode: code } : {}),
      });
      if (who.signedIn) {
        history.replaceState(null, "", location.pathname + location.hash);
        onSignedIn(who);
        return;
      }
      setNeeds([...new Set([...needs, ...(who.needs ?? [])])]);
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e));
    } finally {
      setBusy(false);
    }
  };
  const back = () => {
    setNeeds([]);
    setNewPassword("");
    setAgain("");
    setCode("");
    setError(undefined);
  };

  return (
    <main className="signin">
      <SpaceBetween size="l">
        <Box variant="h1" textAlign="center">
          thingd
        </Box>
        {ended && (
          <Alert type="info" header="Your session has ended">
            Sign in again to go on where you were.
          </Alert>
        )}
        {now && (
          <Alert type="info" header="You are signed in already" action={<Button href="/">Stay</Button>}>
            As <span className="words">{now.arn}</span>. Signing in here ends that session.
          </Alert>
        )}
        <form
          onSubmit={(e) => {
            e.preventDefault();
            void submit();
          }}
        >
          <Container header={<Header variant="h2">{needs.length ? steps(needs) : kind === "root" ? "Sign in" : "Sign in as IAM user"}</Header>}>
            <Form
              errorText={error}
              actions={
                <SpaceBetween direction="horizontal" size="xs">
                  {needs.length > 0 && (
                    <Button variant="link" formAction="none" onClick={back}>
                      Back
                    </Button>
                  )}
                  <Button variant="primary" loading={busy} loadingText="Signing in">
                    {needs.includes("newPassword") ? "Confirm password change" : needs.length ? "Submit" : "Sign in"}
                  </Button>
                </SpaceBetween>
              }
            >
              <SpaceBetween size="m">
                {needs.length === 0 && (
                  <SpaceBetween size="m">
                    <RadioGroup
                      ariaLabel="Who signs in"
                      value={kind}
                      onChange={({ detail }) => setKind(detail.value)}
                      items={[
                        { value: "root", label: "Root user", description: "Account owner, who may do everything." },
                        { value: "user", label: "IAM user", description: "User within an account." },
                      ]}
                    />
                    {kind === "root" ? (
                      <Field label="Root user email address">
                        <Input ref={first} type="email" autoComplete="username" value={email} onChange={({ detail }) => setEmail(detail.value)} />
                      </Field>
                    ) : (
                      <SpaceBetween size="m">
                        <Field label="Account ID (12 digits) or account alias">
                          <Input ref={account ? undefined : first} autoComplete="organization" value={accountID} onChange={({ detail }) => setAccountID(detail.value)} />
                        </Field>
                        <Field label="IAM user name">
                          <Input ref={account ? first : undefined} autoComplete="username" value={userName} onChange={({ detail }) => setUserName(detail.value)} />
                        </Field>
                      </SpaceBetween>
                    )}
                    <Field label="Password">
                      <Input type="password" autoComplete="current-password" value={password} onChange={({ detail }) => setPassword(detail.value)} />
                    </Field>
                  </SpaceBetween>
                )}
                {needs.includes("mfaCode") && (
                  <Field label="MFA code" description="The six digits that your MFA device shows now.">
                    <Input ref={first} inputMode="numeric" autoComplete="one-time-code" value={code} onChange={({ detail }) => setCode(detail.value)} />
                  </Field>
                )}
                {needs.includes("newPassword") && (
                  <SpaceBetween size="m">
                    <Box>You must change your password to continue.</Box>
                    <Field label="New password">
                      <Input
                        ref={needs.includes("mfaCode") ? undefined : first}
                        type="password"
                        autoComplete="new-password"
                        value={newPassword}
                        onChange={({ detail }) => setNewPassword(detail.value)}
                      />
                    </Field>
                    <Field label="Retype new password">
                      <Input type="password" autoComplete="new-password" value={again} onChange={({ detail }) => setAgain(detail.value)} />
                    </Field>
                  </SpaceBetween>
                )}
              </SpaceBetween>
            </Form>
          </Container>
        </form>
        {kind === "root" && needs.length === 0 && (
          <Box color="text-body-secondary" fontSize="body-s" textAlign="center">
            Forgot it? Stop the server and run <Box variant="code">thingd reset-root</Box>. As an IAM user,{" "}
            <Link fontSize="inherit" onFollow={() => setKind("user")}>
              sign in to your account
            </Link>
            .
          </Box>
        )}
      </SpaceBetween>
    </main>
  );
}

const steps = (needs: Need[]) => (needs.includes("newPassword") ? "Change password" : "Multi-factor authentication");

function Field({ label, description, children }: { label: string; description?: string; children: ReactNode }) {
  return (
    <FormField label={label} description={description} stretch>
      {children}
    </FormField>
  );
}
