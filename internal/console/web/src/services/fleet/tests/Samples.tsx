import Badge from "@cloudscape-design/components/badge";
import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Cards from "@cloudscape-design/components/cards";
import Header from "@cloudscape-design/components/header";
import SpaceBetween from "@cloudscape-design/components/space-between";
import { useState } from "react";
import { go } from "../../../frame/route";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useLoad } from "../../../kit/load";
import { listSamples, type Sample } from "../api";
import { SamplePanel } from "./SamplePanel";

/** Samples is the list of what tests can be made from. */
export function Samples() {
  const samples = useLoad(listSamples, []);
  const [chosen, choose] = useState<Sample>();
  const [open, setOpen] = useState(false);
  return (
    <SpaceBetween size="m">
      <ErrorBox error={samples.error} onRetry={() => void samples.reload()} />
      <Cards<Sample>
        items={samples.data ?? []}
        trackBy="sampleName"
        loading={samples.loading && !samples.data}
        loadingText="Loading"
        variant="full-page"
        stickyHeader
        selectionType="single"
        entireCardClickable
        selectedItems={chosen ? [chosen] : []}
        onSelectionChange={({ detail }) => choose(detail.selectedItems[0])}
        ariaLabels={{ cardsLabel: "Samples", selectionGroupLabel: "Samples", itemSelectionLabel: (_, s) => s.sampleName }}
        cardsPerRow={[{ cards: 1 }, { minWidth: 700, cards: 2 }, { minWidth: 1200, cards: 3 }]}
        empty={<Box textAlign="center">{samples.error ? "Not known: see the message above." : "This server has no samples."}</Box>}
        header={
          <Header
            variant="h1"
            counter={samples.data && `(${samples.data.length})`}
            description="A test made from a sample is your own: change it as you like."
            actions={
              <SpaceBetween direction="horizontal" size="xs">
                <Button variant="link" onClick={() => go("#/fleet/tests")}>
                  Cancel
                </Button>
                <Button variant="primary" disabled={!chosen} onClick={() => setOpen(true)}>
                  Create
                </Button>
              </SpaceBetween>
            }
          >
            Create from Sample
          </Header>
        }
        cardDefinition={{
          header: (s) => <span className="words">{s.sampleName}</span>,
          sections: [
            { id: "description", content: (s) => s.description ?? "-" },
            {
              id: "settings",
              header: "Asks for",
              content: (s) =>
                s.settings.length === 0 ? (
                  "Nothing"
                ) : (
                  <SpaceBetween direction="horizontal" size="xs">
                    {s.settings.map((d) => (
                      <Badge key={d.name}>{d.label ?? d.name}</Badge>
                    ))}
                  </SpaceBetween>
                ),
            },
          ],
        }}
      />
      {open && chosen && <SamplePanel key={chosen.sampleName} sample={chosen} onDismiss={() => setOpen(false)} />}
    </SpaceBetween>
  );
}
