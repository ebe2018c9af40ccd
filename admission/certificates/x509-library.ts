/**
 * The parts of `@peculiar/x509` that issue certificates. Import them from here: the library throws at its own import
 * unless a Reflect polyfill was loaded before it. It takes 60 ms and 19 MiB to load, so the server imports what uses
 * it only at the moment when a certificate is to be issued (carry-out.ts).
 */
import 'reflect-metadata/lite';

export {
	AuthorityKeyIdentifierExtension,
	BasicConstraintsExtension,
	ExtendedKeyUsage,
	ExtendedKeyUsageExtension,
	type Extension,
	type JsonName,
	KeyUsageFlags,
	KeyUsagesExtension,
	Name,
	SubjectAlternativeNameExtension,
	SubjectKeyIdentifierExtension,
	X509Certificate,
	X509CertificateGenerator,
} from '@peculiar/x509';
