import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { Copy } from "../../../kit/Copy";

/** Playback is where a stream is watched: outside the browser, as long as this server has no HLS. */
export function Playback({ name }: { name: string }) {
  // What a shell would take for something else is put in quotes.
  const stream = /^[\w.-]+$/.test(name) ? name : `'${name}'`;
  return (
    <Container header={<Header variant="h2">Media playback</Header>}>
      <SpaceBetween size="m">
        <Box>This server does not play video in the browser. Download a time range from the Fragments tab, or watch the stream with a player on this machine:</Box>
        <KeyValuePairs
          columns={1}
          items={[
            { label: "Live", value: <Copy text={`thingd video get - --stream ${stream} --follow | ffplay -`} what="Command" /> },
            { label: "What is kept", value: <Copy text={`thingd video get ${stream}.mkv --stream ${stream}`} what="Command" /> },
          ]}
        />
      </SpaceBetween>
    </Container>
  );
}
