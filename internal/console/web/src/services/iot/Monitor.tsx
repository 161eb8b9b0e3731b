import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import ColumnLayout from "@cloudscape-design/components/column-layout";
import Header from "@cloudscape-design/components/header";
import Link from "@cloudscape-design/components/link";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { Part } from "../../kit/DetailPage";
import { useLoad } from "../../kit/load";
import type { Page } from "../../kit/many";
import { listPolicies, listTypes, listGroups, pageOfCertificates, pageOfThings } from "./api";

/** Monitor is the first screen of IoT Core: how to begin, and what is there. */
export function Monitor() {
  return (
    <ContentLayout
      header={
        <Header
          variant="h1"
          description="AWS IoT Core lets connected devices interact with applications and other devices, securely."
          actions={
            <Button variant="primary" href="#/iot/connect">
              Get started
            </Button>
          }
        >
          AWS IoT
        </Header>
      }
    >
      <SpaceBetween size="l">
        <Container header={<Header variant="h2">Resources</Header>}>
          <ColumnLayout columns={3} minColumnWidth={150}>
            <Count label="Things" link="#/iot/things" of={async () => pageOfThings({})} />
            <Count label="Certificates" link="#/iot/certificates" of={pageOfCertificates} />
            <Count label="Policies" link="#/iot/policies" of={async () => ({ items: await listPolicies() })} />
            <Count label="Thing types" link="#/iot/thing-types" of={async () => ({ items: await listTypes() })} />
            <Count label="Thing groups" link="#/iot/thing-groups" of={async () => ({ items: await listGroups() })} />
          </ColumnLayout>
        </Container>
        <Container header={<Header variant="h2">How it works</Header>}>
          <ol>
            <li>
              <Link href="#/iot/things/create">Register a thing</Link>: the record of a device.
            </li>
            <li>
              <Link href="#/iot/policies/create">Create a policy</Link>: what devices may do.
            </li>
            <li>
              <Link href="#/iot/certificates/create">Create a certificate</Link>, attach the policy and the thing to it, and give its keys to the device.
            </li>
            <li>
              The device connects to the endpoint in <Link href="#/iot/settings">Settings</Link>. Or do all of this at once: <Link href="#/iot/connect">connect one device</Link>.
            </li>
          </ol>
        </Container>
      </SpaceBetween>
    </ContentLayout>
  );
}

/** Count is how many there are, as far as one page tells. */
function Count({ label, link, of }: { label: string; link: string; of: () => Promise<Page<unknown>> }) {
  const page = useLoad(of, [], 30_000);
  return (
    <div>
      <Box variant="awsui-key-label">{label}</Box>
      <Part of={page}>
        {(p) => (
          <Link href={link} fontSize="display-l" ariaLabel={`${label}: ${p.items.length}${p.next ? " or more" : ""}`}>
            {p.items.length}
            {p.next ? "+" : ""}
          </Link>
        )}
      </Part>
    </div>
  );
}
