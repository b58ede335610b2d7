"""What each page shows, as data: numbers, dates, keys and people's own texts. Words are made at rendering.

Rooms, devices and outcomes go by their keys. Times are aware and in the installation's zone, days are local
dates, shares are 0–1 unless a unit says %.
"""
