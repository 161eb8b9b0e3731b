import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { useNotify } from "../../../frame/notices";
import { go } from "../../../frame/route";
import { CopyButton } from "../../../kit/Copy";
import { DetailPage } from "../../../kit/DetailPage";
import { download } from "../../../kit/download";
import { time } from "../../../kit/format";
import { useLoad } from "../../../kit/load";
import type { Params } from "../../service";
import { dateOf, getGlob } from "../api";
import { bytes } from "../report";
import { EntryPanel } from "./EntryPanel";
import { DeleteEntries } from "./Glob";
import { isSecret, shownOf } from "./values";

/** GlobEntry is the screen of one value of the glob. A private key is shown when asked for. */
export function GlobEntry({ params: { key = "" } }: { params: Params }) {
  const notify = useNotify();
  const entry = useLoad(async () => {
    const e = await getGlob(key);
    return { ...shownOf(e.value), size: new TextEncoder().encode(e.value).length, modified: dateOf(e.lastModifiedAt) };
  }, [key]);
  const [open, setOpen] = useState(false);
  const [dialog, setDialog] = useState<"edit" | "delete">();
  return (
    <>
      <DetailPage
        title={key}
        of={entry}
        actions={() => (
          <SpaceBetween direction="horizontal" size="xs">
            <Button onClick={() => setDialog("delete")}>Delete</Button>
            <Button onClick={() => setDialog("edit")}>Edit</Button>
          </SpaceBetween>
        )}
        summaryTitle="Entry info"
        summary={(e) => [
          { label: "Kind", value: e.kind === "text" ? "Text" : "JSON" },
          { label: "Size", value: bytes(e.size) },
          { label: "Last modified", value: time(e.modified) },
        ]}
      >
        {(e) => {
          const hidden = isSecret(e.text) && !open;
          return (
            <Container
              header={
                <Header
                  variant="h2"
                  actions={
                    <SpaceBetween direction="horizontal" size="xs">
                      {isSecret(e.text) && <Button onClick={() => setOpen(!open)}>{open ? "Hide" : "Show"}</Button>}
                      <Button iconName="download" onClick={() => download(fileOf(key, e.text, e.kind), e.text)}>
                        Download
                      </Button>
                      <CopyButton text={e.text} what="Value" />
                    </SpaceBetween>
                  }
                >
                  Value
                </Header>
              }
            >
              {hidden ? (
                <Box color="text-body-secondary">A private key, which is not shown until you ask for it.</Box>
              ) : (
                <pre className="payload" tabIndex={0} aria-label="Value">
                  {e.text}
                </pre>
              )}
            </Container>
          );
        }}
      </DetailPage>
      {dialog === "edit" && entry.data && (
        <EntryPanel
          of={{ key, kind: entry.data.kind, text: entry.data.text }}
          onDismiss={() => setDialog(undefined)}
          onSaved={() => {
            setDialog(undefined);
            notify({ type: "success", content: `${key} saved.` });
            return entry.reload();
          }}
        />
      )}
      {dialog === "delete" && (
        <DeleteEntries
          keys={[key]}
          onDismiss={() => setDialog(undefined)}
          onDeleted={() => {
            notify({ type: "success", content: `${key} deleted.` });
            go("#/fleet/glob");
          }}
        />
      )}
    </>
  );
}

/** What the value is called as a file. */
const fileOf = (key: string, text: string, kind: string): string =>
  key.replace(/[^A-Za-z0-9_.-]/g, "_") + (isSecret(text) ? ".pem.key" : text.startsWith("-----BEGIN CERTIFICATE-----") ? ".pem.crt" : kind === "json" ? ".json" : ".txt");
