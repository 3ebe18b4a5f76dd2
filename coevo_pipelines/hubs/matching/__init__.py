"""Who could give what to whom: needs and offers of hubs as a minimum-cost flow, with reasons for what stays unmet.

`match.py` is the way in; it knows frames only. What the hubs' packages say is read elsewhere.
"""
