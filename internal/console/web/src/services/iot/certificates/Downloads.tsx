import Alert from "@cloudscape-design/components/alert";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import StatusIndicator from "@cloudscape-design/components/status-indicator";
import Table from "@cloudscape-design/components/table";
import { UpdateCertificateCommand } from "@aws-sdk/client-iot";
import { useState } from "react";
import { Copy } from "../../../kit/Copy";
import { download } from "../../../kit/download";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useAction } from "../../../kit/load";
import { rootCertificate, rootPath, send } from "../api";
import { fileNames } from "../names";
import type { Issued } from "./issue";

interface Props {
  of: Issued;
  active: boolean;
  onActive: () => void;
  /** Told once the private key has been saved. */
  onSaved: () => void;
}

interface File {
  what: string;
  name: string;
  save: () => Promise<void> | void;
}

/** Downloads is the one time that a new certificate's keys can be had. */
export function Downloads({ of, active, onActive, onSaved }: Props) {
  const names = fileNames(of.id);
  const activate = useAction();
  const fetching = useAction();
  const [saved, setSaved] = useState<string[]>([]);
  const files: File[] = [{ what: "A certificate for this thing", name: names.certificate, save: () => download(names.certificate, of.certificate, "application/x-pem-file") }];
  const { publicKey, privateKey } = of;
  if (publicKey) files.push({ what: "A public key", name: names.publicKey, save: () => download(names.publicKey, publicKey, "application/x-pem-file") });
  if (privateKey)
    files.push({
      what: "A private key",
      name: names.privateKey,
      save: () => {
        download(names.privateKey, privateKey, "application/x-pem-file");
        onSaved();
      },
    });
  const save = (f: File) => fetching.run(async () => (await f.save(), setSaved((s) => [...s, f.name])));
  const root: File = { what: "A root CA for AWS IoT", name: names.root, save: async () => download(names.root, await rootCertificate(), "application/x-pem-file") };
  return (
    <SpaceBetween size="l">
      {privateKey && (
        <Alert type="warning" header="Download these files and save them in a safe place">
          Certificates can be retrieved at any time, but the private and public keys cannot be retrieved after you leave this page.
        </Alert>
      )}
      <Container header={<Header variant="h2">In order to connect a device, you need to download the following:</Header>}>
        <SpaceBetween size="m">
          <Table<File>
            variant="embedded"
            items={files}
            trackBy="name"
            wrapLines
            ariaLabels={{ tableLabel: "Files to download" }}
            columnDefinitions={[
              { id: "what", header: "File", cell: (f) => f.what, isRowHeader: true, minWidth: 150 },
              { id: "name", header: "Name", cell: (f) => <span className="words">{f.name}</span>, minWidth: 160 },
              {
                id: "save",
                header: "",
                minWidth: 130,
                cell: (f) => (
                  <Button variant="inline-link" iconName={saved.includes(f.name) ? "status-positive" : "download"} ariaLabel={`Download: ${f.what}`} onClick={() => void save(f)}>
                    {saved.includes(f.name) ? "Downloaded" : "Download"}
                  </Button>
                ),
              },
            ]}
          />
          <div>
            <Box variant="awsui-key-label">You also need to download a root CA for AWS IoT</Box>
            <SpaceBetween size="xxs">
              <Button variant="inline-link" iconName="download" ariaLabel={`Download: ${root.what}`} onClick={() => void save(root)}>
                {root.what} ({root.name})
              </Button>
              <span className="words">
                <Copy text={location.origin + rootPath} what="Link to the root CA" />
              </span>
            </SpaceBetween>
          </div>
          <ErrorBox error={fetching.error} what="The file is not to be had" />
        </SpaceBetween>
      </Container>
      <Container
        header={
          <Header
            variant="h2"
            description="A device can connect with it once it is active."
            actions={
              !active && (
                <Button
                  loading={activate.busy}
                  onClick={() =>
                    void activate.run(async () => {
                      await send(new UpdateCertificateCommand({ certificateId: of.id, newStatus: "ACTIVE" }));
                      onActive();
                    })
                  }
                >
                  Activate
                </Button>
              )
            }
          >
            Certificate {of.id.slice(0, 10)}…
          </Header>
        }
      >
        <SpaceBetween size="s">
          <StatusIndicator type={active ? "success" : "stopped"}>{active ? "Active" : "Inactive"}</StatusIndicator>
          <ErrorBox error={activate.error} />
        </SpaceBetween>
      </Container>
    </SpaceBetween>
  );
}
