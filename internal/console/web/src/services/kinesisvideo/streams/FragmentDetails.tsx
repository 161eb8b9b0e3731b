import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { Copy } from "../../../kit/Copy";
import { Part } from "../../../kit/DetailPage";
import { useLoad } from "../../../kit/load";
import { clock } from "../../../live/clock";
import { media, type Fragment } from "../api";
import { describeTrack, read, type Document } from "../mkv";
import { bytes, duration } from "../recordings";

/** As much of a fragment is read to find what its producer says. */
const most = 8 << 20;

/** FragmentDetails says what is known of a fragment, and what it says of its producer. */
export function FragmentDetails({ name, fragment: f }: { name: string; fragment: Fragment }) {
  const document = useLoad(() => start(name, f.number), [name, f.number]);
  return (
    <Container header={<Header variant="h2">Fragment details</Header>}>
      <SpaceBetween size="l">
        <KeyValuePairs
          columns={3}
          minColumnWidth={220}
          items={[
            { label: "Fragment number", value: <Copy text={f.number} what="Fragment number" /> },
            { label: "Producer timestamp", value: clock(new Date(f.producer)) },
            { label: "Server timestamp", value: clock(new Date(f.server)) },
            { label: "Length", value: duration(f.length) },
            { label: "Size", value: bytes(f.size) },
            { label: "Received after", value: f.server >= f.producer ? duration(f.server - f.producer) : `${duration(f.producer - f.server)} before: the clocks differ` },
          ]}
        />
        <Part of={document}>
          {(d) => (
            <SpaceBetween size="m">
              <Header variant="h3">Producer</Header>
              <KeyValuePairs
                columns={3}
                minColumnWidth={220}
                items={[
                  { label: "Writing application", value: <span className="words">{d.writer || "-"}</span> },
                  { label: "Muxing application", value: <span className="words">{d.muxer || "-"}</span> },
                  ...d.tracks.map((t, i) => ({
                    label: `Track ${t.number ?? i + 1}${t.kind ? `, ${t.kind}` : ""}`,
                    value: (
                      <span className="words">
                        {describeTrack(t)}
                        {t.name && ` (${t.name})`}
                      </span>
                    ),
                  })),
                ]}
              />
              {d.tags.length > 0 && (
                <Table
                  variant="embedded"
                  items={d.tags}
                  header={<Header variant="h3">Metadata</Header>}
                  ariaLabels={{ tableLabel: "Metadata" }}
                  wrapLines
                  columnDefinitions={[
                    { id: "name", header: "Name", cell: (t) => <span className="words">{t.name}</span>, isRowHeader: true },
                    { id: "value", header: "Value", cell: (t) => <span className="words">{t.value || "-"}</span> },
                  ]}
                />
              )}
            </SpaceBetween>
          )}
        </Part>
      </SpaceBetween>
    </Container>
  );
}

/** start reads what a fragment begins with, and its metadata as far as it is not too large. */
async function start(name: string, number: string): Promise<Document> {
  const reader = (await media(name, [number])).getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    chunks.push(value);
    size += value.length;
    if (size > most) {
      await reader.cancel();
      break;
    }
  }
  const d = read(new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()));
  const refused = d.tags.find((t) => t.name === "AWS_KINESISVIDEO_EXCEPTION_MESSAGE");
  if (refused) throw new Error(refused.value);
  return { ...d, tags: d.tags.filter((t) => !t.name.startsWith("AWS_KINESISVIDEO_")) };
}
