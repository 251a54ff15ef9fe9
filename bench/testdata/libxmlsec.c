/* Times libxml2 and libxmlsec in their own process, a batch at a time, for bench_test.go.
 *
 *   libxmlsec MESSAGE CERTIFICATE
 *
 * reads lines "parse N" and "verify N" and answers each with the nanoseconds that it took. */
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xmlsec/crypto.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

static char message[1 << 20];
static int length;
static xmlSecKeyPtr key;

static xmlDocPtr parse(void) { return xmlReadMemory(message, length, NULL, NULL, XML_PARSE_NONET); }

/* libxmlsec finds references by ID attributes, and has to be told which those are. */
static void registerIDs(xmlDocPtr doc, xmlNodePtr node) {
	for (; node; node = node->next) {
		if (node->type != XML_ELEMENT_NODE)
			continue;
		for (xmlAttrPtr a = node->properties; a; a = a->next)
			if (!strcmp((const char *)a->name, "Id")) {
				xmlChar *value = xmlNodeListGetString(doc, a->children, 1);
				xmlAddID(NULL, doc, value, a);
				xmlFree(value);
			}
		registerIDs(doc, node->children);
	}
}

static int verify(void) {
	xmlDocPtr doc = parse();
	if (!doc)
		return 0;
	registerIDs(doc, xmlDocGetRootElement(doc));
	xmlNodePtr signature = xmlSecFindNode(xmlDocGetRootElement(doc), xmlSecNodeSignature, xmlSecDSigNs);
	xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);
	context->signKey = xmlSecKeyDuplicate(key);
	int good = signature && xmlSecDSigCtxVerify(context, signature) >= 0 && context->status == xmlSecDSigStatusSucceeded;
	xmlSecDSigCtxDestroy(context);
	xmlFreeDoc(doc);
	return good;
}

int main(int argc, char **argv) {
	FILE *f = argc == 3 ? fopen(argv[1], "rb") : NULL;
	if (!f)
		return 2;
	length = fread(message, 1, sizeof message, f);
	fclose(f);
	xmlInitParser();
	if (xmlSecInit() < 0 || xmlSecCryptoAppInit(NULL) < 0 || xmlSecCryptoInit() < 0)
		return 2;
	key = xmlSecCryptoAppKeyLoad(argv[2], xmlSecKeyDataFormatCertPem, NULL, NULL, NULL);
	if (!key)
		return 2;
	char what[16];
	int n;
	while (scanf("%15s %d", what, &n) == 2) {
		struct timespec from, to;
		clock_gettime(CLOCK_MONOTONIC, &from);
		for (int i = 0; i < n; i++) {
			if (!strcmp(what, "parse")) {
				xmlDocPtr doc = parse();
				if (!doc)
					return 1;
				xmlFreeDoc(doc);
			} else if (!verify()) {
				return 1;
			}
		}
		clock_gettime(CLOCK_MONOTONIC, &to);
		printf("%lld\n", (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec);
		fflush(stdout);
	}
	return 0;
}
