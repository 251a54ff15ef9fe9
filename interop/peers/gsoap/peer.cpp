// gSOAP as a peer: peer KEYS. One process reads jobs from standard input, a line of tab-separated name=value pairs
// each, and answers each with a line "ok DETAIL" or "fail REASON". The proxy and the service that it uses are
// generated from our contract; see the install script.
#include "DocumentRepository_USCOREBinding_USCORESoap12.nsmap"
#include "plugin/wsaapi.h"
#include "plugin/wsseapi.h"
#include "soapDocumentRepository_USCOREBinding_USCORESoap12Proxy.h"
#include "soapDocumentRepository_USCOREBinding_USCORESoap12Service.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <openssl/pem.h>
#include <sstream>
#include <string>

typedef DocumentRepository_USCOREBinding_USCORESoap12Proxy Proxy;
typedef DocumentRepository_USCOREBinding_USCORESoap12Service Service;
typedef std::map<std::string, std::string> Job;

static const char action[] = "urn:ihe:iti:2007:RetrieveDocumentSet";
static const char wsa[] = "http://www.w3.org/2005/08/addressing";
static std::string keys;

template <typename T> static T *load(const std::string &name, T *(*read)(FILE *, T **, pem_password_cb *, void *)) {
  FILE *f = fopen((keys + "/" + name).c_str(), "r");
  if (!f)
    return NULL;
  T *v = read(f, NULL, NULL, NULL);
  fclose(f);
  return v;
}

static std::string fault(struct soap *soap) {
  std::ostringstream s;
  soap_stream_fault(soap, s);
  std::string text = s.str();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return "fail " + text;
}

// post signs and sends a request over mutual TLS.
static std::string post(Job &job) {
  bool mtom = job["packaging"] == "mtom";
  Proxy proxy(SOAP_XML_CANONICAL | (mtom ? SOAP_ENC_MTOM : 0));
  struct soap *soap = proxy.soap;
  soap_register_plugin(soap, soap_wsse);
  soap_register_plugin(soap, soap_wsa);
  std::string own = keys + "/" + job["key"] + ".both", authority = keys + "/ca.pem";
  if (soap_ssl_client_context(soap, SOAP_SSL_DEFAULT, own.c_str(), NULL, authority.c_str(), NULL, NULL))
    return fault(soap);
  EVP_PKEY *key = load(job["key"] + ".key", PEM_read_PrivateKey);
  X509 *certificate = load(job["key"] + ".pem", PEM_read_X509);
  soap_wsse_add_Timestamp(soap, "timestamp", 300);
  soap_wsse_add_BinarySecurityTokenX509(soap, "x509", certificate);
  soap_wsse_add_KeyInfo_SecurityTokenReferenceX509(soap, "#x509");
  soap_wsa_request(soap, job["messageid"].c_str(), job["url"].c_str(), action);
  int algorithm = job["algorithm"] == "ecdsa-sha256" ? SOAP_SMD_SIGN_ECDSA_SHA256 : SOAP_SMD_SIGN_RSA_SHA256;
  soap_wsse_sign_body(soap, algorithm, key, 0);
  if (job["form"] != "defaults") {
    soap_wsse_set_wsu_id(soap, "wsa5:To wsa5:Action wsa5:MessageID wsa5:ReplyTo");
    soap_wsse_sign_only(soap, "wsa5:To wsa5:Action wsa5:MessageID wsa5:ReplyTo timestamp x509 Body");
  }
  if (mtom)
    soap_set_mime(soap, NULL, "<envelope>"); // else gSOAP sends a message without attachments as simple SOAP
  xdsb__RetrieveDocumentSetRequestType request;
  request.soap_default(soap);
  _xdsb__RetrieveDocumentSetRequestType_DocumentRequest document;
  document.soap_default(soap);
  document.RepositoryUniqueId = "2.25.1";
  document.DocumentUniqueId = "2.25.2";
  request.DocumentRequest.push_back(document);
  xdsb__RetrieveDocumentSetResponseType response;
  std::string answer = "ok HTTP 200";
  if (proxy.DocumentRepository_USCORERetrieveDocumentSet(job["url"].c_str(), NULL, &request, response))
    answer = fault(soap);
  else if (!response.rs__RegistryResponse || response.rs__RegistryResponse->status.find(":Success") == std::string::npos)
    answer = "fail the status is not Success";
  EVP_PKEY_free(key);
  X509_free(certificate);
  return answer;
}

// Repository verifies what it is sent.
class Repository : public Service {
public:
  std::string verified;
  Repository() : Service() {}
  int DocumentRepository_USCORERetrieveDocumentSet(xdsb__RetrieveDocumentSetRequestType *, xdsb__RetrieveDocumentSetResponseType &) {
    if (soap_wsse_verify_Timestamp(soap) || soap_wsse_verify_body(soap))
      return soap->error;
    verified = "Body Timestamp";
    for (const char *name : {"To", "Action", "MessageID", "ReplyTo"})
      if (soap_wsse_verify_element(soap, wsa, name) > 0)
        verified += std::string(" ") + name;
    return soap_send_empty_response(soap, SOAP_OK);
  }
  Service *copy() { return NULL; }
};

// verify reads a whole HTTP request, as it would come from a socket.
static std::string verify(Job &job) {
  Repository repository;
  struct soap *soap = repository.soap;
  soap_register_plugin(soap, soap_wsse);
  soap_register_plugin(soap, soap_wsa);
  std::string authority = keys + "/ca.pem";
  soap->cafile = authority.c_str();
  soap_wsse_verify_auto(soap, SOAP_SMD_NONE, NULL, 0);
  std::ifstream in(job["in"].c_str(), std::ios::binary);
  std::ostringstream out;
  soap->is = &in;
  soap->os = &out;
  if (repository.serve() != SOAP_OK || repository.verified.empty())
    return fault(soap);
  return "ok " + repository.verified;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    std::cerr << "usage: peer KEYS < JOBS\n";
    return 2;
  }
  keys = argv[1];
  soap_ssl_init();
  for (std::string line; std::getline(std::cin, line);) {
    Job job;
    std::istringstream fields(line);
    for (std::string pair; std::getline(fields, pair, '\t');) {
      size_t at = pair.find('=');
      job[pair.substr(0, at)] = pair.substr(at + 1);
    }
    std::cout << (job["op"] == "verify" ? verify(job) : post(job)) << std::endl;
  }
  return 0;
}
