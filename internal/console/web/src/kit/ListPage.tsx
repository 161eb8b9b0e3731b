import Box from "@cloudscape-design/components/box";
import Button from "@cloudscape-design/components/button";
import Header from "@cloudscape-design/components/header";
import Pagination from "@cloudscape-design/components/pagination";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Table, { type TableProps } from "@cloudscape-design/components/table";
import TextFilter from "@cloudscape-design/components/text-filter";
import { useCollection } from "@cloudscape-design/collection-hooks";
import { Fragment, isValidElement, type ReactNode } from "react";
import { ErrorBox } from "./ErrorBox";
import type { Loaded } from "./load";

/** A column; text is what is filtered and sorted by. */
export interface Column<T> {
  id: string;
  header: string;
  text: (item: T) => string | number | Date | undefined;
  cell?: (item: T) => ReactNode;
  width?: number;
}

export interface Empty {
  title: string;
  text?: string;
  action?: ReactNode;
}

interface Props<T> {
  title: string;
  description?: ReactNode;
  /** How the list is called where there is no header to see, and by tests: "users". */
  items: Loaded<T[]>;
  id: (item: T) => string;
  columns: Column<T>[];
  filter?: string; // placeholder
  /** Told what is being looked for, where there may be more than the list has. */
  onSearch?: (text: string) => void;
  narrow?: ReactNode; // further filters
  empty: Empty;
  actions?: (selected: T[]) => ReactNode;
  select?: "single" | "multi";
  selected?: T[];
  onSelect?: (selected: T[]) => void;
  disabled?: (item: T) => boolean;
  variant?: TableProps.Variant;
  page?: number;
  headingLevel?: "h1" | "h2" | "h3";
}

const plain = (v: string | number | Date | undefined): string => (v === undefined ? "" : v instanceof Date ? v.toISOString() : String(v));

function compare(a: string | number | Date | undefined, b: string | number | Date | undefined): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return plain(a).localeCompare(plain(b), undefined, { numeric: true, sensitivity: "base" });
}

/**
 * List is a table with its header, filter, pages and selection: a whole screen,
 * or a part of one. An error stands above what was last known.
 */
export function List<T>(p: Props<T>) {
  const size = p.page ?? 50;
  const { items, actions, filteredItemsCount, filterProps, paginationProps, collectionProps } = useCollection(p.items.data ?? [], {
    filtering: {
      filteringFunction: (item, text) => {
        const words = text.toLowerCase().split(/\s+/).filter(Boolean);
        const all = p.columns.map((c) => plain(c.text(item))).join(" ").toLowerCase();
        return words.every((w) => all.includes(w));
      },
      empty: <Nothing empty={p.empty} />,
      noMatch: <NoMatch onClear={() => (actions.setFiltering(""), p.onSearch?.(""))} />,
    },
    pagination: { pageSize: size },
    sorting: p.columns[0] ? { defaultState: { sortingColumn: { sortingField: p.columns[0].id } } } : {},
    selection: {},
  });
  const count = p.items.data?.length;
  const selected = p.selected ?? [];
  // What was selected may have gone, or come anew with other contents.
  const still = (p.items.data ?? []).filter((i) => selected.some((s) => p.id(s) === p.id(i)));
  const failed = p.items.error !== undefined;
  const table = (
    <Table<T>
      {...collectionProps}
      variant={p.variant ?? "full-page"}
      stickyHeader={(p.variant ?? "full-page") === "full-page"}
      items={failed && !p.items.data ? [] : items}
      trackBy={p.id}
      loading={p.items.loading && !p.items.data}
      loadingText="Loading"
      empty={failed && !p.items.data ? <Box textAlign="center">Not known: see the message above.</Box> : collectionProps.empty}
      columnDefinitions={p.columns.map((c, n) => ({
        id: c.id,
        header: c.header,
        cell: (item: T) => c.cell?.(item) ?? (plain(c.text(item)) || "-"),
        sortingField: c.id,
        sortingComparator: (a: T, b: T) => compare(c.text(a), c.text(b)),
        isRowHeader: n === 0,
        width: c.width,
        minWidth: n === 0 ? 160 : Math.min(Math.max(c.width ?? 0, 110), 140),
      }))}
      wrapLines
      selectionType={p.select}
      selectedItems={p.select ? still : undefined}
      onSelectionChange={({ detail }) => p.onSelect?.(detail.selectedItems)}
      isItemDisabled={p.disabled}
      ariaLabels={{
        tableLabel: p.title,
        selectionGroupLabel: "Selection",
        allItemsSelectionLabel: () => "Select all",
        itemSelectionLabel: (_, item) => `Select ${p.id(item)}`,
      }}
      header={
        <Header
          variant={p.headingLevel ?? ((p.variant ?? "full-page") === "full-page" ? "h1" : "h2")}
          counter={count === undefined ? undefined : still.length ? `(${still.length}/${count})` : `(${count})`}
          description={p.description}
          actions={
            <SpaceBetween direction="horizontal" size="xs">
              <Button iconName="refresh" ariaLabel={`Refresh ${p.title.toLowerCase()}`} loading={p.items.loading && p.items.data !== undefined} onClick={() => void p.items.reload()} />
              {spread(p.actions?.(still))}
            </SpaceBetween>
          }
        >
          {p.title}
        </Header>
      }
      filter={
        p.filter !== undefined || p.narrow ? (
          <SpaceBetween direction="horizontal" size="s">
            {p.filter !== undefined && (
              <TextFilter
                {...filterProps}
                onChange={(e) => {
                  filterProps.onChange(e);
                  p.onSearch?.(e.detail.filteringText);
                }}
                filteringPlaceholder={p.filter}
                filteringAriaLabel={p.filter}
                countText={`${filteredItemsCount ?? 0} ${filteredItemsCount === 1 ? "match" : "matches"}`}
              />
            )}
            {p.narrow}
          </SpaceBetween>
        ) : undefined
      }
      pagination={count !== undefined && count > size ? <Pagination {...paginationProps} /> : undefined}
    />
  );
  return failed ? (
    <SpaceBetween size="m">
      <ErrorBox error={p.items.error} onRetry={() => void p.items.reload()} />
      {table}
    </SpaceBetween>
  ) : (
    table
  );
}

/** The buttons of a fragment, which SpaceBetween would keep together as one. */
const spread = (node: ReactNode): ReactNode => (isValidElement<{ children?: ReactNode }>(node) && node.type === Fragment ? node.props.children : node);

function Nothing({ empty }: { empty: Empty }) {
  return (
    <Box textAlign="center" color="inherit" margin={{ vertical: "xs" }}>
      <SpaceBetween size="xs">
        <b>{empty.title}</b>
        {empty.text && <Box color="inherit">{empty.text}</Box>}
        {empty.action}
      </SpaceBetween>
    </Box>
  );
}

function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <Box textAlign="center" color="inherit" margin={{ vertical: "xs" }}>
      <SpaceBetween size="xs">
        <b>No matches</b>
        <Button onClick={onClear}>Clear filter</Button>
      </SpaceBetween>
    </Box>
  );
}
