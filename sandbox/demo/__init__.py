"""The demo, from an edited Service to its end on this machine, and the parts with which tests run the whole product."""
