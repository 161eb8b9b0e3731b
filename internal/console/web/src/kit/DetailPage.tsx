import Box from "@cloudscape-design/components/box";
import Container from "@cloudscape-design/components/container";
import ContentLayout from "@cloudscape-design/components/content-layout";
import Header from "@cloudscape-design/components/header";
import KeyValuePairs from "@cloudscape-design/components/key-value-pairs";
import SpaceBetween from "@cloudscape-design/components/space-between";
import Spinner from "@cloudscape-design/components/spinner";
import Tabs from "@cloudscape-design/components/tabs";
import type { ReactNode } from "react";
import { replaceQuery, usePlace } from "../frame/route";
import { ErrorBox } from "./ErrorBox";
import type { Loaded } from "./load";

export interface Tab {
  id: string; // in the address: ?tab=
  label: string;
  content: ReactNode;
}

interface Props<T> {
  title: string;
  description?: ReactNode;
  of: Loaded<T | undefined>;
  actions?: (data: T) => ReactNode;
  summary?: (data: T) => { label: string; value: ReactNode }[];
  summaryTitle?: string;
  tabs?: (data: T) => Tab[];
  children?: (data: T) => ReactNode;
}

/** DetailPage is the screen of one thing: header and actions, a summary, tabs. */
export function DetailPage<T>({ title, description, of, actions, summary, summaryTitle = "Summary", tabs, children }: Props<T>) {
  const { query } = usePlace();
  const data = of.data;
  const shown = data === undefined ? [] : (tabs?.(data) ?? []);
  const tab = shown.find((t) => t.id === query.get("tab")) ?? shown[0];
  return (
    <ContentLayout
      header={
        <Header variant="h1" description={description} actions={data !== undefined && actions?.(data)}>
          <span className="words">{title}</span>
        </Header>
      }
    >
      <SpaceBetween size="l">
        <ErrorBox error={of.error} onRetry={() => void of.reload()} />
        {data === undefined && of.loading && (
          <div role="status" aria-label="Loading">
            <Spinner size="large" />
          </div>
        )}
        {data !== undefined && summary && (
          <Container header={<Header variant="h2">{summaryTitle}</Header>}>
            <KeyValuePairs columns={3} minColumnWidth={220} items={summary(data).map(({ label, value }) => ({ label, value: <div className="words">{value ?? "-"}</div> }))} />
          </Container>
        )}
        {tab && <Tabs activeTabId={tab.id} onChange={({ detail }) => replaceQuery("tab", detail.activeTabId)} tabs={shown} />}
        {data !== undefined && children?.(data)}
      </SpaceBetween>
    </ContentLayout>
  );
}

/** A part of a screen that has not come yet, or failed to. */
export function Part<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ReactNode }) {
  return (
    <SpaceBetween size="m">
      <ErrorBox error={of.error} onRetry={() => void of.reload()} />
      {of.data !== undefined ? (
        children(of.data)
      ) : of.loading ? (
        <Box>
          <Spinner /> <span role="status">Loading</span>
        </Box>
      ) : null}
    </SpaceBetween>
  );
}
