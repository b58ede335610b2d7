// node openid.mjs PORT REDIRECT_URI: the certified provider, with its own pages to sign in on
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [port, redirect] = process.argv.slice(2);
const found = createRequire(pathToFileURL(`${process.cwd()}/`)).resolve("oidc-provider");
const { default: Provider } = await import(pathToFileURL(found));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "temoin", client_secret: "a secret: of the client", redirect_uris: [redirect] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@ville.example`, email_verified: true, name: `${id} of the directory` }),
  }),
  pkce: { required: () => true },
  cookies: { keys: ["a key of the tests"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
