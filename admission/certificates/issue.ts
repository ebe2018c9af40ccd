import { createHash, createPrivateKey, webcrypto } from 'node:crypto';
import { backdateMs } from './policy.ts';
import { newKeys, sign } from './sign.ts';
import { type Authority, endsAtMs, type KeyPair } from './x509.ts';
import {
	AuthorityKeyIdentifierExtension,
	BasicConstraintsExtension,
	ExtendedKeyUsage,
	ExtendedKeyUsageExtension,
	type Extension,
	KeyUsageFlags,
	KeyUsagesExtension,
	SubjectAlternativeNameExtension,
	SubjectKeyIdentifierExtension,
	X509Certificate,
} from './x509-library.ts';

/** Issues a CA with a name of its own, after its key: among several trusted CAs of the same name, some verifiers try only the first. */
export async function issueAuthority(
	lifetimeMs: number,
	nowMs: number,
): Promise<Authority & { key: string }> {
	const { privateKey, publicKey, pem } = newKeys();
	const ofKey = createHash('sha256').update(publicKey).digest('hex').slice(0, 8);
	const name = [{ CN: [`runners-admission CA ${ofKey}`] }];
	const unsigned = {
		subject: name,
		issuer: name,
		publicKey,
		notBefore: new Date(nowMs - backdateMs(lifetimeMs)),
		notAfter: new Date(nowMs + lifetimeMs),
		extensions: [
			new BasicConstraintsExtension(true, undefined, true),
			new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
			await SubjectKeyIdentifierExtension.create(publicKey, false, webcrypto as Crypto),
		],
	};
	return { cert: await sign(unsigned, privateKey), key: pem };
}

/** Issues a serving certificate for `hosts` that does not outlive its CA. @throws Error if the CA can't sign */
export async function issueServing(
	authority: Authority,
	hosts: readonly string[],
	lifetimeMs: number,
	nowMs: number,
): Promise<KeyPair> {
	if (!authority.key) throw new Error('a CA without its key cannot sign');
	const ca = new X509Certificate(authority.cert);
	const { publicKey, pem } = newKeys();
	const extensions: Extension[] = [
		new BasicConstraintsExtension(false, undefined, true),
		new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
		new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
		new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: 'dns' as const, value }))),
	];
	const caKeyId = ca.getExtension(SubjectKeyIdentifierExtension)?.keyId;
	if (caKeyId) extensions.push(new AuthorityKeyIdentifierExtension(caKeyId));
	const unsigned = {
		// A common name has at most 64 characters and a host name may have more, so the hosts are alternative names only.
		subject: [{ CN: ['runners-admission'] }],
		issuer: ca.subjectName,
		publicKey,
		notBefore: new Date(nowMs - backdateMs(lifetimeMs)),
		notAfter: new Date(Math.min(nowMs + lifetimeMs, endsAtMs(authority.cert))),
		extensions,
	};
	return { cert: await sign(unsigned, createPrivateKey(authority.key)), key: pem };
}
