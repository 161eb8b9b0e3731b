import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import Button from "@cloudscape-design/components/button";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { Copy } from "../../../kit/Copy";
import { Part } from "../../../kit/DetailPage";
import { download } from "../../../kit/download";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useAction, useLoad } from "../../../kit/load";
import { endpoint, rootCertificate, rootPath, type EndpointType } from "../api";
import { Events } from "./Events";
import { Logs } from "./Logs";

const endpoints: { type: EndpointType; label: string }[] = [
  { type: "iot:Data-ATS", label: "Device data endpoint (iot:Data-ATS)" },
  { type: "iot:Data", label: "Of older instructions (iot:Data)" },
  { type: "iot:CredentialProvider", label: "Credentials provider (iot:CredentialProvider)" },
  { type: "iot:Jobs", label: "Jobs (iot:Jobs)" },
];

/** Settings is where devices find the server, and what is told of them. */
export function Settings() {
  const hosts = useLoad(() => Promise.all(endpoints.map(async (e) => ({ ...e, address: await endpoint(e.type) }))), []);
  const root = useAction();
  return (
    <ContentLayout header={<Header variant="h1">Settings</Header>}>
      <SpaceBetween size="l">
        <Container
          header={
            <Header variant="h2" description="Your devices can use your account's device data endpoint to connect to AWS: MQTT on port 8883, HTTPS on the device port.">
              Device data endpoint
            </Header>
          }
        >
          <Part of={hosts}>
            {(all) => (
              <KeyValuePairs
                columns={2}
                minColumnWidth={260}
                items={all.map((e) => ({
                  label: e.label,
                  value: (
                    <div className="words">
                      <Copy text={e.address} what="Endpoint" />
                    </div>
                  ),
                }))}
              />
            )}
          </Part>
        </Container>
        <Container
          header={
            <Header
              variant="h2"
              description="The certificate of the authority that the endpoints' certificates are signed by. Devices need it to know the server."
              actions={
                <Button iconName="download" loading={root.busy} onClick={() => void root.run(async () => download("AmazonRootCA1.pem", await rootCertificate(), "application/x-pem-file"))}>
                  Download
                </Button>
              }
            >
              Root CA
            </Header>
          }
        >
          <SpaceBetween size="s">
            <div className="words">
              <Copy text={location.origin + rootPath} what="Link to the root CA" />
            </div>
            <ErrorBox error={root.error} />
          </SpaceBetween>
        </Container>
        <Events />
        <Logs />
      </SpaceBetween>
    </ContentLayout>
  );
}
