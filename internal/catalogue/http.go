package catalogue

// http are the codes of the problem documents.
var http = []Entry{
	{
		"AVX2000", "", "The request is malformed",
		"A parameter or the body of the request cannot be read as what its route takes.",
		"The detail names the part. The route and what it takes are in the documentation of the HTTP interface.",
	},
	{
		"AVX2001", "", "The event is not a valid CloudEvent",
		"An attribute is missing, has a wrong type, or is longer than it may be. In a batch, event says which one, from 0; nothing of the batch was appended.",
		"Correct the attribute that the detail names. id, source, type and specversion are required.",
	},
	{
		"AVX2002", "", "The topic or pattern is not valid",
		"Topics are segments with dots in between. A wildcard is a whole segment: * for one, ** for any number.",
		"Correct the segment at the byte that the detail names.",
	},
	{
		"AVX2003", "", "The topic is reserved for the host",
		"Topics that begin with $ are written by the host and by guests that have a grant, never from outside.",
		"Publish to another topic, and let a subscriber with a grant in emits write this one.",
	},
	{
		"AVX2004", "", "The request came under a foreign name",
		"The Host header names something else than this machine. A page on the web that points its own name at 127.0.0.1 would look the same, so it is refused.",
		"Talk to the node as localhost or 127.0.0.1. A proxy before it must set the Host header so.",
	},
	{
		"AVX2005", "", "The request came from another web origin",
		"A browser sent it on behalf of a page that the node did not serve.",
		"Call the node from a program, or serve the page from the node's own origin.",
	},
	{
		"AVX2006", "", "There is no such thing",
		"No subscriber, event, generation, stream or route has this name or number.",
		"avxrt sub ls, avxrt topic ls and avxrt sub history NAME list what there is.",
	},
	{
		"AVX2007", "", "The method is not allowed here",
		"The route exists under other methods.",
		"Use one of the methods that the Allow header names.",
	},
	{
		"AVX2008", "", "The stream is at another version",
		"The request expected a stream at one version and it is at another: somebody else appended to it in between.",
		"Read the stream again (avxrt stream KEY), decide anew, and send the request with the new version.",
	},
	{
		"AVX2009", "", "The request is too large",
		"The body is over the node's limit of 1 MiB.",
		"Split it into smaller batches, or keep large data elsewhere and publish a reference to it.",
	},
	{
		"AVX2010", "", "The content type is not spoken here",
		"The route takes CloudEvents (binary, structured or batched) or, at /v1/topics/, plain data; none takes a compressed body.",
		"Set Content-Type to one that the detail names, and send no Content-Encoding.",
	},
	{
		"AVX2011", "", "The new plan was refused",
		"The manifest or a module that should go into service is wrong. What ran goes on unchanged.",
		"The detail says why. avxrt lint and avxrt inspect FILE check before a node does.",
	},
	{
		"AVX2012", "", "The node is shutting down",
		"It takes no more events, lets its subscribers finish theirs and ends. Verbs end with exit code 75.",
		"Try again when it is back; /readyz says when.",
	},
	{
		"AVX2013", "", "The node failed",
		"Something that should not happen did. The detail and the node's log say what.",
		"Try again. If it stays, avxrt doctor and the node's log are what a report should contain.",
	},
	{
		"AVX2014", "", "The disk of the node is full",
		"Less room is left on the disk of the data folder than log.min_free, so that the node can still commit what it has. Nothing is lost; events are taken again by themselves when there is room.",
		"Make room, or let events leave earlier: log.retention.max_age, log.retention.max_bytes.",
	},
	{
		"AVX2015", "", "The node is overloaded",
		"The queue of the log has been full for too long: the disk is slower than what is appended.",
		"Try again after the seconds of Retry-After, in larger batches and with fewer callers at a time.",
	},
	{
		"AVX2016", "", "The stream was closed",
		"An event closed the stream of this key for ever.",
		"Use another key.",
	},
	{
		"AVX2017", "", "The subscriber is not in a state for that",
		"It is in the manifest where it may not be, or the other way around, or the event is yet to be handled in its turn.",
		"The detail says what to do first.",
	},
	{
		"AVX2018", "", "The module was refused",
		"The bytes are no module that a node would run.",
		"avxrt inspect FILE says why.",
	},
}
