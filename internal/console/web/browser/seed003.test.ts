// "AWS IOT Core tutorial with Python, part 1", steps 1 to 7, as written: an IAM
// policy and a user by the root user, who is then signed out by the sign-in URL;
// by the user a thing, a policy and a certificate, with whose files a client
// connects, and messages in the MQTT test client.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { above, click, fill, leftOf, named, paste, says, settled, signInAsRoot, tick, useServer, type Visit } from "./console";
import { endpointOf, row, save, talk } from "./device";

const policy = `       {
         "Version": "2012-10-17",
         "Statement": [
           {
             "Effect": "Allow",
             "Action": [
               "greengrass:*",
               "iot:*",
               "iotanalytics:*",
               "cloud9:*",
               "lambda:*",
               "s3:*",
               "sns:*",
               "iam:*",
               "cognito-identity:*",
               "cognito-sync:*",
               "cognito-idp:*",
               "logs:*",
               "ec2:*",
               "cloudwatch:*",
               "kms:ListAliases",
               "kms:DescribeKey",
               "cloudformation:DescribeStackResources",
               "tag:getResources"
             ],
             "Resource": "*"
           }
         ]
       }
`;

const devicePolicy = `       {
         "Version": "2012-10-17",
         "Statement": [
           {
             "Effect": "Allow",
             "Action": [
               "iot:Connect",
               "iot:Publish",
               "iot:Subscribe",
               "iot:Receive"
             ],
             "Resource": [
               "*"
             ]
           }
         ]
       }
`;

const hello = `{
  "message": "Hello World !!! We are testing IOT core broker messaging via Iot Core Console"
}`;

const skeleton = `{
    "Version": "2020-10-17"
	"Statement": [
		{
			"Effect" : "",
			"Action" : [
			
			],
			"Resource" : [
			
			]
		}
	
	]
}
`;

describe("IoT Core tutorial, part 1", () => {
  const server = useServer();
  let visit: Visit;

  test("step 1: create an IAM policy", async () => {
    visit = await server.visit();
    const { page } = visit;
    await signInAsRoot(server, page);

    // 1. In the search bar at the top type IAM, and click the IAM option which appears.
    await page.getByRole("combobox", { name: "Search for services and pages" }).filter({ visible: true }).fill("IAM");
    await page.getByRole("option", { name: /^IAM\b/ }).first().click();
    await page.getByRole("heading", { name: "IAM Dashboard" }).waitFor();

    // 2. In the left navigation menu, click Policies. 3. Click Create Policy. 4. Click the Json tab.
    await click(page.getByRole("navigation"), "Policies", "link");
    await click(page, "Create Policy");
    await click(page, "Json", "tab");

    // The syntax as the tutorial shows it has a comma missing: the editor says where.
    await paste(page, "Policy document", skeleton);
    await says(page, 'Ln 3, Col 2: Expected "," or "}", found "Statement"');
    await paste(page, "Policy document", skeleton.replace('17"', '17",'));
    await says(page, /^Ln 2, Col 16: Version must be/);
    await click(page, "Review Policy");
    await says(page, /^Ln 2, Col 16: Version must be/);

    // 5. Replace the sample policy. 6. Click Review Policy.
    await paste(page, "Policy document", policy);
    await click(page, "Review Policy");

    // 7. Enter a Name. 8. Click Create Policy.
    await fill(page, "Name", "IotUserPolicy");
    await page.getByRole("table", { name: "Permissions defined in this policy" }).getByText("greengrass", { exact: true }).waitFor();
    await click(page, "Create Policy", "button");
    await says(page, "Policy IotUserPolicy created");
    await named(page, "IotUserPolicy", "link").waitFor();
  });

  test("step 2: create an IAM user and attach the policy", async () => {
    const { page } = visit;

    // 1. Click Services, and then click IAM.
    await click(page, "Services", "button");
    await page.getByRole("menuitem", { name: /^IAM\b/ }).click();
    await page.getByRole("heading", { name: "IAM Dashboard" }).waitFor();

    // 2. Users. 3. Add user. 4. User name.
    await click(page.getByRole("navigation"), "Users", "link");
    await says(page, "There are no users in this account.");
    await click(page, "Add user");
    await fill(page, "User name", "MyIoTUser");

    // 5. Access type. 6. Custom password. 7. Remove the tick mark.
    await tick(page, "AWS Management Console access");
    await click(page, "Custom password", "radio");
    await fill(page, "Password", "Gr33n-Tomatoes");
    await tick(page, "User must create a new password at next sign-in", false);

    // 8. Next: Permissions. 9. Attach existing policies directly. 10. Filter. 11. A tick mark.
    await click(page, "Next: Permissions");
    await click(page, "Attach existing policies directly", "radio");
    await page.getByLabel("Filter policies").fill("IotUserPolicy");
    await says(page, "1 match");
    await tick(page, "Select IotUserPolicy");

    // 12. Next: Tags. 13. Next: Review is the same step. 14. Review, and click Create user.
    await click(page, "Next: Tags");
    await page.getByRole("table", { name: "Permissions summary" }).getByText("IotUserPolicy", { exact: true }).waitFor();
    await click(page, "Create user", "button");
    await says(page, "User created successfully");

    // 15. The sign-in URL includes the account ID. 16. Clicking it logs the root user out.
    const url = `${server.url}/console?account=${server.root.accountId}`;
    await page.getByRole("link", { name: url }).click();

    // 17. Sign in as the IAM user: the account is filled in.
    await page.getByLabel("IAM user name").waitFor();
    expect(await page.getByLabel("Account ID (12 digits) or account alias").inputValue()).toBe(server.root.accountId);
    expect(await (await page.request.get(server.url + "/signin/session")).json()).toEqual({ signedIn: false });
    await fill(page, "IAM user name", "MyIoTUser");
    await fill(page, "Password", "Gr33n-Tomatoes");
    await click(page, "Sign in", "button");
    await page.getByRole("button", { name: /MyIoTUser @ / }).first().waitFor();
  });

  test("step 3: create an IoT thing", async () => {
    const { page } = visit;
    const menu = page.getByRole("navigation");

    // 1. Services, IoT Core. 2. Get started. 3. Expand Manage. 4. Things.
    await click(page, "Services", "button");
    await page.getByRole("menuitem", { name: /^IoT Core/ }).click();
    await click(page, "Get started");
    await page.getByRole("heading", { name: "Connect one device" }).waitFor();
    await menu.getByText("Manage", { exact: true }).waitFor();
    await click(menu, "Things", "link");

    // 5. Register a thing. 6. Create a single thing. 7. The name, Next. 8. Without certificate.
    await click(page, "Register a thing");
    await click(page, "Create a single thing");
    await click(page, "Next");
    await says(page, "Enter a thing name.");
    await fill(page, "Name", "MyIotThing");
    await click(page, "Next");
    await click(page, "Create thing without certificate");
    await says(page, "Thing MyIotThing created.");
    await named(page, "MyIotThing", "link").waitFor();
  });

  test("step 4: create an IoT policy", async () => {
    const { page } = visit;
    const menu = page.getByRole("navigation");

    // 1. Expand Secure. 2. Policies. 3. Create a policy. 4. The name. 5. Advanced mode.
    await menu.getByText("Secure", { exact: true }).waitFor();
    await click(menu, "Policies", "link");
    await click(page, "Create a policy");
    await fill(page, "Name", "MyIotPolicy");
    await click(page, "Advanced mode");

    // 6. The syntax as the tutorial shows it lacks a comma: the editor says where. 7. Create.
    await paste(page, "Policy document", skeleton);
    await says(page, 'Ln 3, Col 2: Expected "," or "}", found "Statement"');
    await paste(page, "Policy document", devicePolicy);
    await page.getByRole("button", { name: "Create", exact: true }).click();
    await says(page, "Policy MyIotPolicy created.");
    await named(page, "MyIotPolicy", "link").waitFor();
  });

  test("steps 5 and 6: create a certificate, and attach policy and thing", async () => {
    const { page } = visit;
    const menu = page.getByRole("navigation");

    // 1. Secure, Certificates. 2. Create a certificate. 3. Create certificate.
    await click(menu, "Certificates", "link");
    await click(page, "Create a certificate");
    await click(page, "Create certificate");
    await page.getByRole("heading", { name: "Certificate created!" }).waitFor();

    // 4. Activate; the certificate and the private key, renamed; Done.
    await click(page, "Activate");
    await page.getByText("Active", { exact: true }).filter({ visible: true }).waitFor();
    const files = { certificate: join(server.dir, "certificate.pem.crt"), privateKey: join(server.dir, "private.pem.key"), root: join(server.dir, "root.pem") };
    const id = (await save(page, row(page, "A certificate for this thing"), files.certificate)).slice(0, 10);
    await save(page, row(page, "A private key"), files.privateKey);
    await save(page, page.getByRole("button", { name: "Download: A root CA for AWS IoT" }), files.root);
    await click(page, "Done");
    const certificate = page.getByRole("link", { name: new RegExp(`^${id}`) });
    await certificate.waitFor();
    await page.getByRole("button", { name: "Refresh certificates" }).click();
    await page.getByRole("table", { name: "Certificates" }).getByText("Active", { exact: true }).waitFor();

    // Step 6. The certificate; Actions > Attach policy, a check mark, Attach; the thing likewise.
    await certificate.click();
    await click(page, "Actions", "button");
    await click(page, "Attach policy", "menuitem");
    await tick(page.getByRole("dialog"), "Select MyIotPolicy");
    await click(page.getByRole("dialog"), "Attach");
    await says(page, "MyIotPolicy attached.");
    await click(page, "Actions", "button");
    await click(page, "Attach thing", "menuitem");
    await tick(page.getByRole("dialog"), "Select MyIotThing");
    await click(page.getByRole("dialog"), "Attach");
    await says(page, "MyIotThing attached.");

    // 6. Policies and Things, of the certificate and in the left menu, show both.
    await click(page, "Policies", "tab");
    await named(page, "MyIotPolicy", "link").waitFor();
    await click(page, "Things", "tab");
    await named(page, "MyIotThing", "link").waitFor();
    await click(menu, "Policies", "link");
    await click(page, "MyIotPolicy", "link");
    await click(page, "Targets", "tab");
    await certificate.waitFor();
    await click(menu, "Things", "link");
    await click(page, "MyIotThing", "link");
    await click(page, "Certificates", "tab");
    await certificate.waitFor();

    await talk(server, files, await endpointOf(page), "mytesttopic");
  });

  test("step 7: test publish and subscribe methods", async () => {
    const { page } = visit;

    // 1. Services, IoT Core. 2. Test in the left menu: the client connects by itself.
    await click(page, "Services", "button");
    await page.getByRole("menuitem", { name: /^IoT Core\b/ }).click();
    await click(page.getByRole("navigation"), "Test", "link");
    await page.getByText("Connected", { exact: true }).waitFor();

    // 3. In the Subscription topic, enter mytesttopic. 4. Click Subscribe to topic.
    await fill(page, "Subscription topic", "mytesttopic");
    await click(page, "Subscribe to topic", "button");

    // 5. In the bottom a white space, and on its left the name of the topic.
    const topic = named(page.getByRole("list", { name: "Subscriptions" }), "mytesttopic", "button");
    await topic.waitFor();
    const space = page.getByText("No messages have come yet.");
    await space.waitFor();
    expect(await above(page.getByLabel("Subscription topic"), topic)).toBe(true);
    expect(await leftOf(topic, space)).toBe(true);

    // 6. Above a Publish tab, click on it. 7. The Message Payload. 8. Click Publish three times.
    expect(await above(named(page, "Publish", "tab"), topic)).toBe(true);
    await click(page, "Publish", "tab");
    await fill(page, "Topic name", "mytesttopic");
    await fill(page, "Message payload", hello);
    for (const n of [1, 2, 3]) {
      await click(page.getByRole("tabpanel"), "Publish", "button");
      await page.getByRole("heading", { name: `mytesttopic (${n})` }).waitFor();
    }

    // 9. Back in the Subscribe tab the message appears as many times.
    await click(page, "Subscribe", "tab");
    const shown = page.getByRole("log", { name: "Messages on mytesttopic" }).getByRole("listitem");
    expect(await shown.getByLabel("Payload").allTextContents()).toEqual([hello, hello, hello]);
  });

  test("the user sees what the policy allows, and no more", async () => {
    const { page } = visit;
    await page.goto(server.url + "/#/iam/users");
    await named(page, "MyIoTUser", "link").waitFor();

    // Another service is none of it.
    await page.goto(server.url + "/#/kinesisvideo/streams");
    await says(page, /user\/MyIoTUser is not authorized to perform: kinesisvideo:ListStreams/);

    // thingd's own operations are other than iot's; what was made for one that is refused does not stay.
    await page.goto(server.url + "/#/iot/connect");
    await fill(page, "Thing name", "another");
    await fill(page, "Password of the key stores", "changeit");
    await click(page, "Create connection kit", "button");
    await says(page, /is not authorized to perform: thingd:CreateDeviceKit on resource/);
    await page.goto(server.url + "/#/iot/policies");
    await named(page, "MyIotPolicy", "link").waitFor();
    expect(await named(page, "another-Policy", "link").count()).toBe(0);
    await page.goto(server.url + "/#/iam/users");
    await named(page, "MyIoTUser", "link").waitFor();

    // As root, nothing of IAM is left to the user; from then on each screen says why it is empty.
    const root = await server.visit();
    await signInAsRoot(server, root.page);
    await root.page.goto(`${server.url}/#/iam/users/details/MyIoTUser`);
    await tick(root.page, "Select IotUserPolicyCustomer managed");
    await click(root.page, "Remove", "button");
    await click(root.page.getByRole("dialog"), "Remove policy");
    await says(root.page, "No policies are attached to this user.");

    await page.getByRole("button", { name: "Refresh users" }).click();
    await says(page, new RegExp(`User: arn:aws:iam::${server.root.accountId}:user/MyIoTUser is not authorized to perform: iam:ListUsers on resource: .* because no identity-based policy allows the iam:ListUsers action`));
    await says(page, /^AccessDenied/);
    await page.goto(server.url + "/#/iam/policies");
    await says(page, /is not authorized to perform: iam:ListPolicies/);
    await settled(page);
    expect(visit.complaints).toEqual([]);
    expect(root.complaints).toEqual([]);
  });
});
