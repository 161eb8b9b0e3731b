/**
 * What tutorials call things that this console calls otherwise. Tests look for
 * the tutorials' own words, by this table: a line here is a place where somebody
 * who follows one has to think. Upper and lower case are the same.
 */
export const words: Record<string, string> = {
  // Tutorials of before 2022; the console has the words of those of after.
  "Add user": "Add users",
  "Attach existing policies directly": "Attach policies directly",
  "Next: Permissions": "Next",
  "Next: Tags": "Next", // tags and review are one step
  // Where the tutorial has no step for tags.
  "Review Policy": "Skip to Review policy",
  // The menu has it by what it opens, under the heading of Test.
  Test: "MQTT test client",
  "Download the CSV file": "Download .csv file",
  // A thing's certificates are a tab of their own.
  Security: "Certificates",
};
