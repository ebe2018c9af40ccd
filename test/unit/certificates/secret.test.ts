import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import * as assert from 'uvu/assert';
import { issueServing } from '../../../admission/certificates/issue.ts';
import { encode, type Found, judgeSecret, secretData } from '../../../admission/certificates/secret.ts';
import { newKeys, sign } from '../../../admission/certificates/sign.ts';
import { BasicConstraintsExtension, Name } from '../../../admission/certificates/x509-library.ts';
import { suite } from '../../support/suite.ts';
import { authority, day, host, serving, startMs } from './authorities.ts';

const test = suite('certificates: what the Secret is good for');
const [ca, otherCa, nextCa] = await Promise.all([authority(), authority(), authority()]);
const pair = await serving(ca);
const elsewhere = await serving(ca, startMs, 90, ['x.y.svc']);
const content = { authority: ca, serving: pair, next: nextCa, previous: [otherCa.cert] };
const data = secretData(content);
const ed25519 = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** `current`: the serving certificate and its CA; `+key`: the CA can sign; then next and previous. */
const seen = ({ authority: one, serving: two, next, previous, fault }: Found) =>
	[
		one ? `ca${one.key ? '+key' : ''}` : 'no ca',
		two ? 'serving' : 'no serving',
		next ? 'next' : 'no next',
		`${previous.length} previous`,
		fault ?? 'no fault',
	].join(', ');
const changed = (parts: Record<string, string | undefined>) => {
	const texts = Object.entries(parts).map(([key, text]) => [
		key,
		text === undefined ? undefined : encode(text),
	]);
	return Object.fromEntries(
		Object.entries({ ...data, ...Object.fromEntries(texts) }).filter(([, text]) => text !== undefined),
	) as Record<string, string>;
};

const rows: [string, Record<string, string> | undefined, number, string][] = [
	['as it was written', data, 1, 'ca+key, serving, next, 1 previous, no fault'],
	['none', undefined, 1, 'no ca, no serving, no next, 0 previous, there is no Secret'],
	['empty', {}, 1, 'no ca, no serving, no next, 0 previous, tls.crt contains no certificate'],
	[
		'garbage',
		changed({ 'tls.crt': 'x', 'ca.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }),
		1,
		'no ca, no serving, next, 1 previous, tls.crt contains no certificate',
	],
	[
		'the key is none',
		changed({ 'tls.key': 'x' }),
		1,
		'ca+key, no serving, next, 1 previous, tls.key contains no private key',
	],
	[
		'the key of another certificate',
		changed({ 'tls.key': (await serving(ca)).key }),
		1,
		'ca+key, no serving, next, 1 previous, tls.key does not belong to tls.crt',
	],
	[
		'ended',
		data,
		91,
		`ca+key, no serving, next, 1 previous, tls.crt is valid from Dec 31 23:55:00 2025 GMT to Apr  1 00:00:00 2026 GMT only`,
	],
	[
		'CA ended',
		data,
		361,
		'no ca, no serving, no next, 0 previous, tls.crt is valid from Dec 31 23:55:00 2025 GMT to Apr  1 00:00:00 2026 GMT only',
	],
	[
		'issued by another CA',
		changed({ 'ca.crt': otherCa.cert, 'ca.key': otherCa.key }),
		1,
		'ca+key, no serving, next, 1 previous, tls.crt was not issued by ca.crt',
	],
	[
		'no CA',
		changed({ 'ca.crt': undefined }),
		1,
		'no ca, no serving, next, 1 previous, ca.crt contains no CA certificate that is valid now',
	],
	[
		'a CA that is none',
		changed({ 'ca.crt': pair.cert }),
		1,
		'no ca, no serving, next, 1 previous, ca.crt contains no CA certificate that is valid now',
	],
	[
		'for another Service',
		changed({ 'tls.crt': elsewhere.cert, 'tls.key': elsewhere.key }),
		1,
		`ca+key, no serving, next, 1 previous, tls.crt is not valid for ${host}`,
	],
	[
		'a CA without its key, as cert-manager leaves it',
		changed({ 'ca.key': undefined }),
		1,
		'ca, serving, next, 1 previous, no fault',
	],
	[
		'a CA with the key of another',
		changed({ 'ca.key': otherCa.key }),
		1,
		'ca, serving, next, 1 previous, ca.key does not belong to the CA that issued tls.crt',
	],
	[
		'a CA in use beside one more',
		changed({ 'ca.crt': nextCa.cert + ca.cert, 'previous-ca.crt': undefined }),
		1,
		'ca+key, serving, next, 1 previous, no fault',
	],
	[
		'a next CA without its key is none',
		changed({ 'next-ca.key': ca.key }),
		1,
		'ca+key, serving, no next, 1 previous, no fault',
	],
	[
		'previous ones that are no CAs, or twice',
		changed({ 'previous-ca.crt': pair.cert + otherCa.cert + otherCa.cert }),
		1,
		'ca+key, serving, next, 1 previous, no fault',
	],
	[
		'a key of a kind that signs nothing here',
		changed({ 'ca.key': ed25519 }),
		1,
		'ca, serving, next, 1 previous, ca.key does not belong to the CA that issued tls.crt',
	],
];
for (const [title, content, days, expected] of rows) {
	test(title, () => assert.is(seen(judgeSecret(content, [host], startMs + days * day)), expected));
}

test('the certificate must be valid for every name that it is called by', () => {
	const found = judgeSecret(data, [host, 'guard.other.svc'], startMs + day);
	assert.is(found.fault, 'tls.crt is not valid for guard.other.svc');
	assert.is(found.serving, undefined);
	assert.is(found.authority?.key, ca.key, 'so that the same CA can issue another');
});
test('what was written is read back as it was', () => {
	const found = judgeSecret(data, [host], startMs + day);
	assert.equal([found.authority, found.next, found.previous], [ca, nextCa, [otherCa.cert]]);
	assert.equal(found.serving, { cert: pair.cert, key: pair.key });
});
test('a serving certificate never outlives its CA, and carries the names asked for', async () => {
	const short = new X509Certificate((await issueServing(ca, [host, 'a.b.svc'], 500 * day, startMs)).cert);
	assert.is(short.validToDate.getTime(), startMs + 360 * day);
	assert.is(short.checkHost('a.b.svc'), 'a.b.svc');
	assert.is(short.checkHost('runners-admission'), undefined);
	assert.ok(short.verify(new X509Certificate(ca.cert).publicKey));
	assert.is(createPrivateKey(ca.key).asymmetricKeyDetails?.namedCurve, 'prime256v1');
});

test('a certificate names its CA byte by byte as the CA does itself: API servers compare no less', async () => {
	// As openssl writes names; the library here would write the same text as a PrintableString.
	const name = new Name([{ C: ['DE'] }, { CN: [{ utf8String: 'acme ca' }] }]);
	const keys = newKeys();
	const unsigned = {
		subject: name,
		issuer: name,
		publicKey: keys.publicKey,
		notBefore: new Date(startMs),
		notAfter: new Date(startMs + 360 * day),
		extensions: [new BasicConstraintsExtension(true, undefined, true)],
	};
	const theirs = { cert: await sign(unsigned, keys.privateKey), key: keys.pem };
	const leaf = new X509Certificate((await issueServing(theirs, [host], 90 * day, startMs)).cert);
	const utf8Name = Buffer.from('0c0761636d65206361', 'hex'); // a PrintableString would begin with 13
	assert.ok(new X509Certificate(theirs.cert).raw.includes(utf8Name));
	assert.ok(leaf.raw.includes(utf8Name));
	assert.ok(leaf.verify(new X509Certificate(theirs.cert).publicKey));
});

test.run();
