import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Input from "@cloudscape-design/components/input";
import Link from "@cloudscape-design/components/link";
import Pagination from "@cloudscape-design/components/pagination";
import Select from "@cloudscape-design/components/select";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table from "@cloudscape-design/components/table";
import { useState } from "react";
import { go, replaceQuery, to, usePlace } from "../../../frame/route";
import { ErrorBox } from "../../../kit/ErrorBox";
import { useLoad } from "../../../kit/load";
import { listDevices, type Device } from "../api";
import { phases, type DevicePhase, type Devices } from "../report";
import { nameOf, Phase } from "./Status";

/** How many devices a page has. */
const size = 100;

interface Props {
  run: string;
  total: number;
  /** How many there are in each phase, as far as it is known. */
  counts?: Devices;
  /** The number of the first device. */
  first: number;
  live: boolean;
}

/** The pages that have been seen of the devices in a phase, or of all. */
interface Pages {
  phase?: DevicePhase;
  page: number;
  tokens: (string | undefined)[]; // of pages 1, 2 …
}

/** DeviceTable lists a run's devices page by page: there may be a hundred thousand. */
export function DeviceTable({ run, total, counts, first, live }: Props) {
  const { query } = usePlace();
  const phase = phases.find((p) => p === query.get("phase"));
  const begin: Pages = { phase, page: 1, tokens: [undefined] };
  const [pages, setPages] = useState(begin);
  const { page, tokens } = pages.phase === phase ? pages : begin; // those of one phase are none of another
  const [number, setNumber] = useState("");
  const devices = useLoad(
    async () => {
      const p = await listDevices(run, size, phase, tokens[page - 1]);
      if (p.nextToken && tokens[page] !== p.nextToken) setPages({ phase, page, tokens: [...tokens.slice(0, page), p.nextToken] });
      return p;
    },
    [run, phase, page, live],
    live ? 2_000 : undefined,
  );
  const link = (client: number | string) => to(["fleet", "runs", "details", run, "devices", String(client)]);
  const option = (p: DevicePhase | undefined) => ({ value: p ?? "", label: p ? nameOf(p) : "All phases", labelTag: p && counts ? counts[p].toLocaleString("en-US") : undefined });
  const fault = number === "" || (/^\d+$/.test(number) && Number(number) >= first && Number(number) < first + total) ? undefined : `From ${first} to ${first + total - 1}.`;
  return (
    <SpaceBetween size="m">
      <ErrorBox error={devices.error} onRetry={() => void devices.reload()} />
      <Table<Device>
        variant="container"
        items={devices.data?.devices ?? []}
        trackBy={(d) => String(d.client)}
        loading={devices.loading && !devices.data}
        loadingText="Loading"
        wrapLines
        ariaLabels={{ tableLabel: "Devices" }}
        empty={<Box textAlign="center">{devices.error ? "Not known: see the message above." : phase ? `No device is in the phase ${phase}.` : "No device has begun yet."}</Box>}
        header={
          <Header
            variant="h2"
            counter={`(${phase && counts ? `${counts[phase].toLocaleString("en-US")}/` : ""}${total.toLocaleString("en-US")})`}
            actions={<Button iconName="refresh" ariaLabel="Refresh devices" loading={devices.loading && devices.data !== undefined} onClick={() => void devices.reload()} />}
          >
            Devices
          </Header>
        }
        filter={
          <SpaceBetween direction="horizontal" size="m">
            <Select
              ariaLabel="Phase"
              selectedOption={option(phase)}
              options={[undefined, ...phases].map(option)}
              onChange={({ detail }) => replaceQuery("phase", detail.selectedOption.value || undefined)}
            />
            <form
              onSubmit={(e) => {
                e.preventDefault();
                if (number !== "" && !fault) go(link(number));
              }}
            >
              <SpaceBetween direction="horizontal" size="xs" alignItems="center">
                <Input value={number} inputMode="numeric" placeholder="Device number" ariaLabel="Device number" invalid={fault !== undefined} onChange={({ detail }) => setNumber(detail.value)} autoComplete={false} />
                <Button disabled={number === "" || fault !== undefined}>Open</Button>
                {fault && <Box color="text-status-error">{fault}</Box>}
              </SpaceBetween>
            </form>
          </SpaceBetween>
        }
        pagination={
          total > size ? (
            <Pagination
              currentPageIndex={page}
              pagesCount={tokens.length}
              openEnd={devices.data?.nextToken !== undefined}
              onChange={({ detail }) => detail.currentPageIndex <= tokens.length && setPages({ phase, page: detail.currentPageIndex, tokens })}
              ariaLabels={{ nextPageLabel: "Next page", previousPageLabel: "Previous page", pageLabel: (n) => `Page ${n}` }}
            />
          ) : undefined
        }
        columnDefinitions={[
          { id: "client", header: "Device", cell: (d) => <Link href={link(d.client)}>{d.client}</Link>, isRowHeader: true, minWidth: 90 },
          { id: "phase", header: "Phase", cell: (d) => <Phase of={d.phase} />, minWidth: 120 },
          { id: "connected", header: "Connected", cell: (d) => (d.connected ? "Yes" : "No"), minWidth: 100 },
          { id: "iteration", header: "Iteration", cell: (d) => d.iteration.toLocaleString("en-US"), minWidth: 100 },
          { id: "published", header: "Published", cell: (d) => (d.published ?? 0).toLocaleString("en-US"), minWidth: 100 },
          { id: "received", header: "Received", cell: (d) => (d.received ?? 0).toLocaleString("en-US"), minWidth: 100 },
          { id: "errors", header: "Errors", cell: (d) => (d.errors ?? 0).toLocaleString("en-US"), minWidth: 90 },
          { id: "last", header: "Last error", cell: (d) => <span className="words">{d.lastError ?? "-"}</span>, minWidth: 200 },
        ]}
      />
    </SpaceBetween>
  );
}
