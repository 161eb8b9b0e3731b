import Alert from "@cloudscape-design/components/alert";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { go, to } from "../../../frame/route";
import { Copy } from "../../../kit/Copy";
import { csv, download } from "../../../kit/download";
import { signInURL, useSession } from "../../../session/identity";

/** Welcome shows once how a new user signs in. */
export function Welcome({ name, password, mustChange, chosen }: { name: string; password: string; mustChange: boolean; chosen: boolean }) {
  const { who, signOut } = useSession();
  const url = signInURL(who.alias ?? who.account);
  const [shown, setShown] = useState(false);
  // The URL is for another user: whoever is signed in here is no more when it opens.
  const leave = async () => {
    await signOut();
    location.assign(url);
  };
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="You can view and download the password below, or email the user instructions for signing in to this console."
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button
                iconName="download"
                onClick={() => download(`${name}_credentials.csv`, csv([["User name", "Password", "Console sign-in URL"], [name, password, url]]), "text/csv")}
              >
                Download .csv file
              </Button>
              <Button variant="primary" onClick={() => go("#/iam/users")}>
                Return to users list
              </Button>
            </SpaceBetween>
          }
        >
          Retrieve password
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Alert type="success" header="User created successfully" action={<Button href={to(["iam", "users", "details", name])}>View user</Button>}>
          Sign-in URL of IAM users in this account:{" "}
          <Link
            href={url}
            onFollow={(e) => {
              e.preventDefault();
              void leave();
            }}
          >
            {url}
          </Link>
          . Opening it here signs you out.
        </Alert>
        <Container header={<Header variant="h2">Console sign-in details</Header>}>
          <KeyValuePairs
            columns={2}
            minColumnWidth={220}
            items={[
              { label: "Console sign-in URL", value: <Copy text={url} what="Console sign-in URL" /> },
              { label: "User name", value: <Copy text={name} what="User name" /> },
              {
                label: "Console password",
                value: (
                  <SpaceBetween direction="horizontal" size="xs">
                    <span className="words">{shown ? password : "••••••••••"}</span>
                    <Button variant="inline-link" onClick={() => setShown(!shown)}>
                      {shown ? "Hide" : "Show"}
                    </Button>
                  </SpaceBetween>
                ),
              },
              { label: "At the first sign-in", value: mustChange ? "The user has to create a new password" : "The password stays" },
            ]}
          />
        </Container>
        {!chosen && <Alert type="warning">This is the only time that this password can be viewed or downloaded. You can set a new one at any time.</Alert>}
      </SpaceBetween>
    </ContentLayout>
  );
}
