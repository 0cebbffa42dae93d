// A certified OpenID provider (panva/node-oidc-provider) on loopback, for the tests: any login name is accepted, claims follow from it.
import { Provider } from 'oidc-provider';

const [port, redirect, secret] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'campusmeter', client_secret: secret, redirect_uris: [redirect], grant_types: ['authorization_code'] }],
  async findAccount(_, id) {
    return { accountId: id, claims: async () => ({ sub: id, email: `${id}@edu.example`, email_verified: id !== 'unverified' }) };
  },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: [] },
  conformIdTokenClaims: false,
  cookies: { keys: ['test'] },
  features: { devInteractions: { enabled: true } },
  pkce: { required: () => true },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
