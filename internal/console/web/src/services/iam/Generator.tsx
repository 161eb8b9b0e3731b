import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import CopyToClipboard from "@cloudscape-design/components/copy-to-clipboard";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { go } from "../../frame/route";
import { JsonEditor } from "../../kit/JsonEditor";
import { statements } from "../../policy/summary";
import { handOn } from "./draft";
import { StatementBuilder } from "./StatementBuilder";

const empty = JSON.stringify({ Version: "2012-10-17", Statement: [] }, null, 4);

/** Generator puts a policy together by choosing, to be pasted anywhere. */
export function Generator() {
  const [document, setDocument] = useState(empty);
  const some = statements(document).length > 0;
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="Add statements, then paste the document wherever a policy is wanted: IAM policies and IoT policies have the same form."
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button onClick={() => setDocument(empty)} disabled={!some}>
                Start over
              </Button>
              <Button
                variant="primary"
                disabled={!some}
                onClick={() => {
                  handOn(document);
                  go("#/iam/policies/create");
                }}
              >
                Create policy
              </Button>
            </SpaceBetween>
          }
        >
          Policy generator
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container>
          <StatementBuilder document={document} onChange={setDocument} />
        </Container>
        <Container header={<Header variant="h2" actions={<CopyToClipboard copyButtonText="Copy" textToCopy={document} copySuccessText="Policy copied" copyErrorText="The policy could not be copied" />}>Policy JSON document</Header>}>
          <JsonEditor label="Policy JSON document" value={document} height={320} />
        </Container>
      </SpaceBetween>
    </ContentLayout>
  );
}
