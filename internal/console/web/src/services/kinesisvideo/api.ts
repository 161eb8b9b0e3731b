import {
  DeleteStreamCommand,
  DescribeStreamCommand,
  KinesisVideoClient,
  ListStreamsCommand,
  ListTagsForStreamCommand,
  UpdateDataRetentionCommand,
  type StreamInfo,
} from "@aws-sdk/client-kinesis-video";
import {
  FragmentSelectorType,
  GetMediaForFragmentListCommand,
  KinesisVideoArchivedMediaClient,
  ListFragmentsCommand,
  type Fragment as ListedFragment,
} from "@aws-sdk/client-kinesis-video-archived-media";
import type { Tag } from "../../kit/tag";
import { all, aws } from "../../session/aws";

/** send calls Kinesis Video: send(new DescribeStreamCommand({ … })). */
export const send: KinesisVideoClient["send"] = ((command: never) => aws(KinesisVideoClient).send(command)) as KinesisVideoClient["send"];

export const listStreams = () => all((NextToken) => send(new ListStreamsCommand({ NextToken, MaxResults: 1000 })), (p) => p.StreamInfoList, (p) => p.NextToken);

export async function describe(StreamName: string): Promise<StreamInfo> {
  const { StreamInfo } = await send(new DescribeStreamCommand({ StreamName }));
  if (!StreamInfo) throw new Error("The server described no stream.");
  return StreamInfo;
}

export async function tagsOf(StreamName: string): Promise<Tag[]> {
  const tags: Tag[] = [];
  for (let NextToken: string | undefined; ; ) {
    const p = await send(new ListTagsForStreamCommand({ StreamName, NextToken }));
    for (const [Key, Value] of Object.entries(p.Tags ?? {})) tags.push({ Key, Value });
    NextToken = p.NextToken;
    if (!NextToken) return tags;
  }
}

/** setRetention changes how long a stream keeps its video, from what it is now. */
export async function setRetention(StreamName: string, hours: number): Promise<void> {
  const { DataRetentionInHours = 0, Version } = await describe(StreamName);
  const by = hours - DataRetentionInHours;
  if (by === 0) return;
  await send(
    new UpdateDataRetentionCommand({
      StreamName,
      CurrentVersion: Version,
      Operation: by > 0 ? "INCREASE_DATA_RETENTION" : "DECREASE_DATA_RETENTION",
      DataRetentionChangeInHours: Math.abs(by),
    }),
  );
}

/** deleteStream deletes the stream of that ARN, and no other that has its name by now. */
export const deleteStream = ({ StreamARN, Version }: StreamInfo) => send(new DeleteStreamCommand({ StreamARN, CurrentVersion: Version }));

/** Which of a fragment's two clocks is meant. */
export type Clock = "producer" | "server";

/** A fragment of a stream's archive. */
export interface Fragment {
  number: string;
  producer: number; // ms since 1970
  server: number;
  length: number; // ms
  size: number; // bytes
}

export interface Range {
  from: number; // ms since 1970
  to: number;
}

const archive = () => aws(KinesisVideoArchivedMediaClient);

const fragmentOf = (f: ListedFragment): Fragment => ({
  number: f.FragmentNumber ?? "",
  producer: f.ProducerTimestamp?.getTime() ?? 0,
  server: f.ServerTimestamp?.getTime() ?? 0,
  length: f.FragmentLengthInMilliseconds ?? 0,
  size: f.FragmentSizeInBytes ?? 0,
});

/** fragments asks for those that start in a range, page by page, in the order of their starts. */
export async function* fragments(StreamName: string, by: Clock, range: Range, pageSize = 1000): AsyncGenerator<Fragment[]> {
  const FragmentSelector = {
    FragmentSelectorType: by === "producer" ? FragmentSelectorType.PRODUCER_TIMESTAMP : FragmentSelectorType.SERVER_TIMESTAMP,
    TimestampRange: { StartTimestamp: new Date(range.from), EndTimestamp: new Date(range.to) },
  };
  for (let NextToken: string | undefined; ; ) {
    const p = await archive().send(new ListFragmentsCommand({ StreamName, FragmentSelector, MaxResults: pageSize, NextToken }));
    yield (p.Fragments ?? []).map(fragmentOf);
    NextToken = p.NextToken;
    if (!NextToken) return;
  }
}

/** media asks for fragments, whole, one behind the other as Matroska. */
export async function media(StreamName: string, numbers: string[], signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const { Payload } = await archive().send(new GetMediaForFragmentListCommand({ StreamName, Fragments: numbers }), { abortSignal: signal });
  if (!Payload) throw new Error("The server sent no media.");
  return Payload.transformToWebStream() as ReadableStream<Uint8Array>;
}
