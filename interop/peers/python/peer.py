"""zeep as a peer: python3 peer.py KEYS WSDL.

One process reads jobs from standard input, a line of tab-separated name=value pairs each, and answers each with a
line "ok DETAIL" or "fail REASON".
"""

import datetime
import sys

import requests
import xmlsec
from lxml import etree
from zeep import Client, Settings, ns
from zeep.plugins import Plugin
from zeep.transports import Transport
from zeep.wsse import utils
from zeep.wsse.signature import (
    BinarySignature,
    Signature,
    _make_sign_key,
    _make_verify_key,
    _sign_node,
    _verify_envelope_with_key,
)

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
KEYS, WSDL = sys.argv[1:3]
METHODS = {
    "rsa-sha256": (xmlsec.Transform.RSA_SHA256, xmlsec.Transform.SHA256),
    "ecdsa-sha256": (xmlsec.Transform.ECDSA_SHA256, xmlsec.Transform.SHA256),
    "rsa-sha1": (None, None),  # what zeep does if it is told nothing
}


class MessageID(Plugin):
    """Gives the request the MessageID of the job. zeep adds the addressing headers itself, as the contract asks."""

    def __init__(self, job):
        self.job = job

    def egress(self, envelope, headers, operation, options):
        envelope.find(f"{{{SOAP}}}Header/{{{WSA}}}MessageID").text = self.job["messageid"]
        return envelope, headers


def timestamp(envelope):
    """Adds a Timestamp; zeep has one for UsernameToken only."""
    security = utils.get_security_header(envelope)
    now = datetime.datetime.utcnow()
    element = etree.SubElement(security, etree.QName(ns.WSU, "Timestamp"), nsmap={"wsu": ns.WSU})
    etree.SubElement(element, etree.QName(ns.WSU, "Created")).text = utils.get_timestamp(now)
    etree.SubElement(element, etree.QName(ns.WSU, "Expires")).text = utils.get_timestamp(now + datetime.timedelta(minutes=5))
    return security


class Timestamped:
    """zeep's own signature over Body and Timestamp."""

    def __init__(self, inner):
        self.inner = inner

    def apply(self, envelope, headers):
        timestamp(envelope)
        return self.inner.apply(envelope, headers)

    def verify(self, envelope):
        return envelope  # answers are not signed


class Whole:
    """The signature that an integrator has to write to have the addressing headers signed too."""

    def __init__(self, key, method, digest):
        self.key, self.method, self.digest = key, method, digest

    def apply(self, envelope, headers):
        security = timestamp(envelope)
        signature = xmlsec.template.create(envelope, xmlsec.Transform.EXCL_C14N, self.method)
        info = xmlsec.template.ensure_key_info(signature)
        data = xmlsec.template.add_x509_data(info)
        xmlsec.template.x509_data_add_issuer_serial(data)  # as zeep does; it stays empty
        xmlsec.template.x509_data_add_certificate(data)
        security.append(signature)
        context = xmlsec.SignatureContext()
        context.key = self.key
        for target in [*envelope.iterfind(f"{{{SOAP}}}Header/{{{WSA}}}*"), security.find(etree.QName(ns.WSU, "Timestamp")), envelope.find(etree.QName(SOAP, "Body"))]:
            _sign_node(context, signature, target, self.digest)
        context.sign(signature)
        if len(data.find(etree.QName(ns.DS, "X509IssuerSerial"))):
            raise ValueError("X509IssuerSerial is not empty")
        return envelope, headers

    def verify(self, envelope):
        return envelope


def read(name):
    with open(f"{KEYS}/{name}", "rb") as f:
        return f.read()


def post(job):
    method, digest = METHODS[job["algorithm"]]
    files = f"{KEYS}/{job['key']}.key", f"{KEYS}/{job['key']}.pem"
    if job["form"] == "whole":
        wsse = Whole(_make_sign_key(read(job["key"] + ".key"), read(job["key"] + ".pem"), None), method, digest)
    else:
        kind = Signature if job["form"] == "x509-data" else BinarySignature
        wsse = Timestamped(kind(*files, signature_method=method, digest_method=digest))
    session = requests.Session()
    session.trust_env = False  # else the machine's list of authorities replaces ours
    session.verify = f"{KEYS}/ca.pem"
    session.cert = files[1], files[0]
    client = Client(WSDL, wsse=wsse, plugins=[MessageID(job)], transport=Transport(session=session), settings=Settings(strict=True))
    service = client.create_service("{urn:ihe:iti:xds-b:2007}DocumentRepository_Binding_Soap12", job["url"])
    answer = service.DocumentRepository_RetrieveDocumentSet([{"RepositoryUniqueId": "2.25.1", "DocumentUniqueId": "2.25.2"}])
    status = (answer.RegistryResponse if hasattr(answer, "RegistryResponse") else answer).status
    if not status.endswith(":Success"):
        raise ValueError(status)
    return status


def verify(job):
    envelope = etree.fromstring(read_file(job["in"]))
    _verify_envelope_with_key(envelope, _make_verify_key(read(job["key"] + ".pem")))
    ids = [r.get("URI")[1:] for r in envelope.iter(f"{{{ns.DS}}}Reference")]
    return " ".join(etree.QName(e).localname for i in ids for e in envelope.xpath("//*[@wsu:Id=$id]", id=i, namespaces={"wsu": ns.WSU}))


def read_file(name):
    with open(name, "rb") as f:
        return f.read()


for line in sys.stdin:
    job = dict(pair.split("=", 1) for pair in line.rstrip("\n").split("\t"))
    try:
        print("ok", {"post": post, "verify": verify}[job["op"]](job), flush=True)
    except Exception as e:  # any refusal is an answer
        print("fail", f"{type(e).__name__}: {e}".replace("\n", " "), flush=True)
