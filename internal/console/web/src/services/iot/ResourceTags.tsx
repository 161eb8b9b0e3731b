import { TagResourceCommand, UntagResourceCommand } from "@aws-sdk/client-iot";
import { useLoad } from "../../kit/load";
import { TagsTab, type Tag } from "../../kit/Tags";
import { send, tagsOf } from "./api";

/** ResourceTags shows and changes the tags of a resource of AWS IoT. */
export function ResourceTags({ arn }: { arn: string }) {
  const tags = useLoad(async () => (await tagsOf(arn)).map((t): Tag => ({ Key: t.Key ?? "", Value: t.Value ?? "" })), [arn]);
  return (
    <TagsTab
      tags={tags}
      save={async (set, remove) => {
        if (remove.length) await send(new UntagResourceCommand({ resourceArn: arn, tagKeys: remove }));
        if (set.length) await send(new TagResourceCommand({ resourceArn: arn, tags: set }));
      }}
    />
  );
}
