/** The element alone. */

import "../../src/element.ts";
