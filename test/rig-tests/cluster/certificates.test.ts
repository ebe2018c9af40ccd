import { X509Certificate } from 'node:crypto';
import * as assert from 'uvu/assert';
import { createAuthority, issueClient, issueServer } from '../../cluster/certificates.ts';
import { suite } from '../../support/suite.ts';

const test = suite('certificates');

test('a client certificate carries user and groups, whatever characters they have', async () => {
	const authority = await createAuthority();
	const user = 'system:serviceaccount:ns:a,b+c';
	const pair = await issueClient(authority, user, ['system:masters', 'dev=ops']);
	const certificate = new X509Certificate(pair.cert);
	const legacy = certificate.toLegacyObject().subject as unknown as { CN: string; O: string[] };
	assert.is(legacy.CN, user);
	assert.equal(legacy.O, ['system:masters', 'dev=ops']);
	assert.is(certificate.verify(new X509Certificate(authority.cert).publicKey), true);
	assert.equal(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'client authentication only');
	assert.is(certificate.ca, false);
});

test('the server certificate is valid for the loopback address', async () => {
	const authority = await createAuthority();
	const certificate = new X509Certificate((await issueServer(authority)).cert);
	assert.is(certificate.checkIP('127.0.0.1'), '127.0.0.1');
	assert.is(certificate.checkHost('localhost'), 'localhost');
	assert.is(new X509Certificate(authority.cert).ca, true);
});

test.run();
