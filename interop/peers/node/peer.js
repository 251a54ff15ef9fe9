'use strict';
// node-soap and xml-crypto as peers: node peer.js KEYS WSDL. One process reads jobs from standard input, a line of
// tab-separated name=value pairs each, and answers each with a line "ok DETAIL" or "fail REASON".
const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const path = require('path');
const readline = require('readline');
const soap = require('soap');
const { SignedXml } = require('xml-crypto');
const { DOMParser } = require('@xmldom/xmldom');
const xpath = require('xpath');

const [keys, wsdl] = process.argv.slice(2);
const more = 'http://www.w3.org/2001/04/xmldsig-more#';
const sha256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const exclusive = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const addressing = 'http://www.w3.org/2005/08/addressing';
const oasis = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-';
const wsse = oasis + 'wssecurity-secext-1.0.xsd';
const x509 = oasis + 'x509-token-profile-1.0#X509v3';

const read = (name) => fs.readFileSync(path.join(keys, name));

// ECDSA is the class that whoever needs it writes: xml-crypto has none.
class ECDSA {
  getSignature(info, key) {
    return crypto.createSign('SHA256').update(info).sign({ key: key.key || key, dsaEncoding: 'ieee-p1363' }, 'base64');
  }
  verifySignature(info, key, value) {
    return crypto.createVerify('SHA256').update(info).verify({ key, dsaEncoding: 'ieee-p1363' }, value, 'base64');
  }
  getAlgorithmName() {
    return more + 'ecdsa-sha256';
  }
}

function withECDSA(signed) {
  signed.SignatureAlgorithms[more + 'ecdsa-sha256'] = ECDSA;
  return signed;
}

// method is the identifier of an algorithm that may be given by the last word of it.
const method = (algorithm) => algorithm.includes(':') ? algorithm : more + algorithm;

// sign is xml-crypto by itself: the job's envelope has the Timestamp and the token already.
function sign(job) {
  const s = withECDSA(new SignedXml({
    privateKey: read(job.key + '.key'), idMode: 'wssecurity',
    signatureAlgorithm: method(job.algorithm), canonicalizationAlgorithm: exclusive,
  }));
  for (const name of ['To', 'Action', 'MessageID', 'ReplyTo', 'Timestamp', 'BinarySecurityToken', 'Body']) {
    s.addReference({ xpath: `//*[local-name(.)='${name}']`, transforms: [exclusive], digestAlgorithm: sha256 });
  }
  s.getKeyInfoContent = () => `<wsse:SecurityTokenReference><wsse:Reference URI="#x509" ValueType="${x509}"/></wsse:SecurityTokenReference>`;
  s.computeSignature(fs.readFileSync(job.in, 'utf8'), {
    prefix: 'ds', existingPrefixes: { wsse },
    location: { reference: "//*[local-name(.)='Security']", action: 'append' },
  });
  fs.writeFileSync(job.out, s.getSignedXml());
  return 'application/soap+xml; charset=UTF-8';
}

function verify(job) {
  const xml = fs.readFileSync(job.in, 'utf8');
  const signatures = xpath.select("//*[local-name(.)='Signature' and namespace-uri(.)='http://www.w3.org/2000/09/xmldsig#']",
    new DOMParser().parseFromString(xml));
  const s = withECDSA(new SignedXml({ publicCert: read(job.key + '.pem'), idMode: 'wssecurity' }));
  s.loadSignature(signatures[0]);
  if (!s.checkSignature(xml)) throw new Error('the signature is not valid');
  return s.getSignedReferences().map((x) => new DOMParser().parseFromString(x).documentElement.localName).join(' ');
}

// What node-soap signs: by default Body and Timestamp; the addressing headers, which it does not make itself
// either, only when told to.
function options(job) {
  const o = { hasTimeStamp: true, signatureAlgorithm: method(job.algorithm), digestAlgorithm: sha256 };
  if (job.form === 'defaults') return o;
  return {
    ...o,
    signatureTransformations: [exclusive],
    additionalReferences: ['wsa:To', 'wsa:Action', 'wsa:MessageID', 'wsa:ReplyTo'],
    signerOptions: { prefix: 'ds', attrs: { Id: 'signature' }, existingPrefixes: { wsse }, idMode: 'wssecurity' },
  };
}

async function post(job) {
  const client = await soap.createClientAsync(wsdl, { forceSoap12Headers: true, endpoint: job.url });
  client.addSoapHeader(`<wsa:To xmlns:wsa="${addressing}">${job.url}</wsa:To>`);
  client.addSoapHeader(`<wsa:Action xmlns:wsa="${addressing}" soap:mustUnderstand="1">urn:ihe:iti:2007:RetrieveDocumentSet</wsa:Action>`);
  client.addSoapHeader(`<wsa:MessageID xmlns:wsa="${addressing}">${job.messageid}</wsa:MessageID>`);
  client.addSoapHeader(`<wsa:ReplyTo xmlns:wsa="${addressing}"><wsa:Address>${addressing}/anonymous</wsa:Address></wsa:ReplyTo>`);
  const security = new soap.WSSecurityCert(read(job.key + '.key'), read(job.key + '.pem'), '', options(job));
  withECDSA(security.signer);
  client.setSecurity(security);
  const httpsAgent = new https.Agent({ ca: read('ca.pem'), cert: read(job.key + '.pem'), key: read(job.key + '.key') });
  const request = { DocumentRequest: [{ RepositoryUniqueId: '2.25.1', DocumentUniqueId: '2.25.2' }] };
  const [result] = await client.DocumentRepository_RetrieveDocumentSetAsync(request, { forceMTOM: job.packaging === 'mtom', httpsAgent });
  const status = result.RegistryResponse.attributes.status;
  if (!status.endsWith(':Success')) throw new Error(status);
  return status;
}

// reason finds the text of a fault, or what went wrong on the way.
function reason(e) {
  const fault = e.root && e.root.Envelope && e.root.Envelope.Body.Fault;
  const body = e.response && e.response.data && String(e.response.data).replace(/<[^>]*>/g, ' ');
  return (fault ? JSON.stringify(fault) : body || e.message || String(e)).replace(/\s+/g, ' ');
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const job = Object.fromEntries(line.split('\t').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
    try {
      console.log('ok ' + await { sign, verify, post }[job.op](job));
    } catch (e) {
      console.log('fail ' + reason(e));
    }
  }
})();
