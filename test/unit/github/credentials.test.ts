import { generateKeyPairSync } from 'node:crypto';
import * as assert from 'uvu/assert';
import {
	credentialFromEnvironment,
	credentialFromSecret,
	fingerprint,
} from '../../../admission/github/credentials.ts';
import { suite } from '../../support/suite.ts';

const test = suite('github credentials');
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pkcs1 = privateKey.export({ type: 'pkcs1', format: 'pem' }) as string;
const ellipticKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
	type: 'pkcs8',
	format: 'pem',
}) as string;
const base64 = (data: Record<string, string>) =>
	Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]));

/** The error's words, and the promise that no secret is among them. */
function complaint(work: () => unknown): string {
	try {
		work();
	} catch (error) {
		return (error as Error).message;
	}
	throw new Error('nothing was wrong');
}

test('nothing in the environment is no credential and no error', () => {
	assert.is(credentialFromEnvironment({}), undefined);
	assert.is(credentialFromEnvironment({ GITHUB_TOKEN: '  ' }), undefined);
});

test('a token wins over an App, as in ARC, and loses the newline of its file', () => {
	const env = { GITHUB_TOKEN: 'ghp_x\n', GITHUB_APP_ID: '1' };
	assert.equal(credentialFromEnvironment(env), { kind: 'token', token: 'ghp_x' });
});

test('an App from the environment, its key from a file or on one line', () => {
	const app = { GITHUB_APP_ID: '7', GITHUB_APP_INSTALLATION_ID: '8' };
	const expected = { kind: 'app', appId: '7', installationId: 8, privateKey: pkcs1.trim() };
	const file = { ...app, GITHUB_APP_PRIVATE_KEY_FILE: 'key.pem' };
	assert.equal(
		credentialFromEnvironment(file, () => pkcs1),
		expected,
	);
	const line = { ...app, GITHUB_APP_PRIVATE_KEY: pkcs1.replaceAll('\n', '\\n') };
	assert.is((credentialFromEnvironment(line) as typeof expected).privateKey.trim(), pkcs1.trim());
});

test('a half-configured App names exactly what is missing', () => {
	const said = complaint(() => credentialFromEnvironment({ GITHUB_APP_ID: '7' }));
	assert.match(said, /also needs GITHUB_APP_INSTALLATION_ID and GITHUB_APP_PRIVATE_KEY$/);
});

test('what is wrong is said without the secret itself', () => {
	const app = { GITHUB_APP_ID: '7', GITHUB_APP_INSTALLATION_ID: '8' };
	const token = complaint(() => credentialFromEnvironment({ GITHUB_TOKEN: 'ghp secret' }));
	assert.match(token, /GITHUB_TOKEN is not a token/);
	assert.not.match(token, /secret/);
	const key = complaint(() => credentialFromEnvironment({ ...app, GITHUB_APP_PRIVATE_KEY: 'hunter2' }));
	assert.match(key, /GITHUB_APP_PRIVATE_KEY is not a private key in PEM form/);
	assert.not.match(key, /hunter2/);
	const ec = complaint(() => credentialFromEnvironment({ ...app, GITHUB_APP_PRIVATE_KEY: ellipticKey }));
	assert.match(ec, /is a key of type ec; GitHub Apps have RSA keys/);
	const missing = complaint(() =>
		credentialFromEnvironment({ ...app, GITHUB_APP_PRIVATE_KEY_FILE: '/nowhere/key.pem' }),
	);
	assert.match(missing, /\/nowhere\/key.pem cannot be read \(ENOENT\)/);
});

test("a Secret with ARC's keys is a credential", () => {
	assert.equal(credentialFromSecret(base64({ github_token: 'ghp_y\n' }), 'a/b'), {
		kind: 'token',
		token: 'ghp_y',
	});
	const data = { github_app_id: '7', github_app_installation_id: '8', github_app_private_key: pkcs1 };
	assert.is(credentialFromSecret(base64(data), 'a/b').kind, 'app');
});

test('a Secret without the keys names the Secret and the keys', () => {
	const empty = credentialFromSecret({}, 'ci/creds');
	assert.is(empty.kind, 'credentials-missing');
	assert.match(
		'detail' in empty ? empty.detail : '',
		/Secret ci\/creds: .*github_token.*github_app_private_key/,
	);
	const half = credentialFromSecret(base64({ github_app_id: '7' }), 'ci/creds');
	assert.match('detail' in half ? half.detail : '', /also needs github_app_installation_id and/);
});

test('a fingerprint tells credentials apart and holds nothing of them', () => {
	const one = fingerprint({ kind: 'token', token: 'ghp_1' });
	assert.is(one, fingerprint({ kind: 'token', token: 'ghp_1' }));
	assert.is.not(one, fingerprint({ kind: 'token', token: 'ghp_2' }));
	assert.match(one, /^[0-9a-f]{32}$/);
});

test.run();
